import * as path from 'node:path';
import { Deck } from './deck.ts';
import { filesIn, foldersIn, namesIn } from './files.ts';
import type { Journal } from './journal.ts';
import { OBSTACLES, ODD_FILES, type Obstacle, type OddFile, type OddThings } from './odd-things.ts';
import { BUCKETS } from './plan.ts';
import type { Random } from './random.ts';

/** Kinds of files that odd things take the place of, by how their names end. */
const FILE_PLACES = {
  '.chunk': 'a chunk',
  '.parity': 'parity',
  '.meta.json': 'a meta',
  '.bucket.json': 'a bucket document',
  'disk.json': 'a mark',
};

/** Folders of a disk that obstacles take the place of. */
const FOLDER_PLACES = ['buckets', 'a bucket', 'the folder of a key', 'chunks', 'some chunks', 'tmp'] as const;
type FolderPlace = (typeof FOLDER_PLACES)[number];

const FILE_NAMES = [...ODD_FILES.map(nameOfOdd), ...Object.values(FILE_PLACES).map(nameOfPlace)];
const FOLDER_NAMES = [...FOLDER_PLACES.map(nameOfFolder), ...OBSTACLES.map(nameOfObstacle)];
export const ODD_NAMES = [...FILE_NAMES, ...FOLDER_NAMES];

function nameOfOdd(odd: OddFile): string {
  return `odd file: ${odd}`;
}

function nameOfPlace(place: string): string {
  return `odd file in the place of ${place}`;
}

function nameOfFolder(place: FolderPlace): string {
  return `folder that can't be read: ${place}`;
}

function nameOfObstacle(obstacle: Obstacle): string {
  return `in the place of a folder: ${obstacle}`;
}

interface Parts {
  random: Random;
  journal: Journal;
  things: OddThings;
}

/** Puts what is no file in the place of a disk's files, and what is no folder in that of its folders. */
export class OddInjuries {
  readonly #parts: Parts;
  readonly #odd: Deck<OddFile>;
  readonly #folders: Deck<FolderPlace>;
  readonly #obstacles: Deck<Obstacle>;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#odd = new Deck(parts.random, ODD_FILES);
    this.#folders = new Deck(parts.random, FOLDER_PLACES);
    this.#obstacles = new Deck(parts.random, OBSTACLES);
  }

  /** Replaces some of a disk's files, and says how. */
  hurtFiles(disk: string): string {
    const { random } = this.#parts;
    const odd = random.chance(0.3) ? undefined : this.#odd.draw();
    const where = random.pick(['chunks', 'buckets', '']);
    const files = filesIn(path.join(disk, where)).filter((file) => !file.endsWith('disk.json'));
    const chosen = random.sample(files, Math.ceil(files.length * random.pick([0.1, 0.5, 1])));
    const replaced = chosen.filter((file) => this.#replace(file, odd ?? this.#odd.draw()));
    return `${odd ?? 'odd things'} in the place of ${replaced.length} files in ${where === '' ? 'it' : where}`;
  }

  /** Replaces a disk's mark, and says how. */
  hurtMark(mark: string): string {
    const odd = this.#odd.draw();
    this.#replace(mark, odd);
    return `${odd} in the place of its mark`;
  }

  /** Replaces one of a disk's folders, and says how. */
  hurtFolder(disk: string): string {
    const { journal, things } = this.#parts;
    const [place, obstacle] = [this.#folders.draw(), this.#obstacles.draw()];
    const folder = this.#choose(disk, place);
    if (folder === undefined || !things.replaceFolder(folder, obstacle)) return `there is no ${place} to be hurt`;
    journal.encounter(nameOfFolder(place));
    journal.encounter(nameOfObstacle(obstacle));
    return `${obstacle} in the place of ${path.relative(disk, folder)}`;
  }

  #replace(file: string, odd: OddFile): boolean {
    const { journal, things } = this.#parts;
    if (!things.replaceFile(file, odd)) return false;
    journal.encounter(nameOfOdd(odd));
    const place = Object.entries(FILE_PLACES).find(([end]) => file.replace(/\d+$/, '').endsWith(end))?.[1];
    if (place !== undefined) journal.encounter(nameOfPlace(place));
    return true;
  }

  #choose(disk: string, place: FolderPlace): string | undefined {
    const { random } = this.#parts;
    const inside = (folder: string): string => path.join(disk, folder);
    const pick = (list: readonly string[]): string | undefined => (list.length === 0 ? undefined : random.pick(list));
    switch (place) {
      case 'a bucket':
        return inside(`buckets/${random.pick(BUCKETS)}`);
      case 'the folder of a key':
        return pick(BUCKETS.flatMap((bucket) => foldersIn(inside(`buckets/${bucket}`))));
      case 'some chunks':
        return pick(namesIn(inside('chunks')).map((name) => inside(`chunks/${name}`)));
      case 'buckets':
      case 'chunks':
      case 'tmp':
        return inside(place);
    }
  }
}
