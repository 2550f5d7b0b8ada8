import type { Disk, DiskEntry } from '../disks/disk.ts';
import { isDiskFault, type StoreError } from '../errors.ts';
import { decodeComponent, type PathEntry } from './key-path.ts';
import { isKey } from './names.ts';

/** A key, or a folder of keys, at one level of a bucket's tree. */
export interface KeyNode {
  /** The whole key, or the prefix with its `/` at the end. */
  name: string;
  /** Where a folder is on the disks that have it; undefined for a key. */
  folder: string | undefined;
  /** The disks that have it, or may have it: those that could not list the level, or have something else in its place. */
  disks: readonly Disk[];
}

/** A disk that could not list a folder, and why. */
export interface FolderFailure {
  disk: Disk;
  folder: string;
  error: StoreError;
}

export interface KeyLevel {
  nodes: KeyNode[];
  /** Folders that only carry on a long segment; their keys are among `nodes`. */
  parts: { folder: string; disks: readonly Disk[] }[];
  /** What may be missing among `nodes`. */
  failures: FolderFailure[];
}

/** Where a folder has more entries, the disks list it one after the other, so that memory holds the entries of one. */
const LARGE_FOLDER = 1000;

/**
 * What any of the disks has at one level of the tree, in no order. A long segment that goes on in a folder of its own
 * belongs to the level where it began. A disk that can't list the folder doesn't keep the others from it.
 *
 * @param folder the level's folder on the disks
 * @param base what all keys of the level begin with: empty, or a prefix that ends in `/`
 */
export async function readKeyLevel(
  disks: readonly Disk[],
  folder: string,
  base: string,
  before = '',
): Promise<KeyLevel> {
  const found = new Found(folder, base, before);
  const failures = await listAll(disks, folder, (disk, entries) => {
    found.add(disk, entries);
  });
  const unsure = failures.map(({ disk }) => disk);
  const level: KeyLevel = { nodes: found.nodes(unsure), parts: [], failures };
  for (const { text, ...part } of found.parts(unsure)) {
    const deeper = await readKeyLevel(part.disks, part.folder, base, text);
    // Not by spreading: there may be more than a call takes arguments.
    for (const node of deeper.nodes) level.nodes.push(node);
    level.parts.push(...deeper.parts, part);
    level.failures.push(...deeper.failures);
  }
  return level;
}

/** Lists a folder on disks, and tells which of them could not. */
export async function listAll(
  disks: readonly Disk[],
  folder: string,
  add: (disk: Disk, entries: readonly DiskEntry[]) => void,
): Promise<FolderFailure[]> {
  const failures: FolderFailure[] = [];
  const list = async (disk: Disk): Promise<number> => {
    try {
      const entries = await disk.list(folder);
      add(disk, entries);
      return entries.length;
    } catch (error) {
      if (!isDiskFault(error)) throw error;
      failures.push({ disk, folder, error });
      return 0;
    }
  };
  const left = [...disks];
  // A folder is about as large on every disk.
  for (let disk = left.shift(); disk !== undefined; disk = left.shift()) {
    if ((await list(disk)) <= LARGE_FOLDER) break;
  }
  await Promise.all(left.map(list));
  return failures.sort((a, b) => disks.indexOf(a.disk) - disks.indexOf(b.disk));
}

/** A set of disks. There is one object for each set, so that a key costs no more than a reference to it. */
class Holders {
  readonly disks: readonly Disk[];
  readonly #next = new Map<Disk, Holders>();

  constructor(disks: readonly Disk[]) {
    this.disks = disks;
  }

  with(disk: Disk): Holders {
    if (this.disks.includes(disk)) return this;
    let next = this.#next.get(disk);
    if (next === undefined) {
      next = new Holders([...this.disks, disk]);
      this.#next.set(disk, next);
    }
    return next;
  }

  withAll(disks: readonly Disk[]): readonly Disk[] {
    return disks.reduce<Holders>((holders, disk) => holders.with(disk), this).disks;
  }
}

/** What the disks have in a folder, put together. */
class Found {
  readonly #folder: string;
  readonly #base: string;
  readonly #before: string;
  readonly #nobody = new Holders([]);
  /** By name on the disks. */
  readonly #keys = new Map<string, Holders>();
  readonly #folders = new Map<string, Holders>();
  readonly #parts = new Map<string, Holders>();
  /** Names under which a disk has no file where one of a key would be, or no folder where one would be. */
  readonly #strays: { disk: Disk; name: string; places: Map<string, Holders> }[] = [];

  constructor(folder: string, base: string, before: string) {
    this.#folder = folder;
    this.#base = base;
    this.#before = before;
  }

  add(disk: Disk, entries: readonly DiskEntry[]): void {
    for (const { name, isFolder } of entries) {
      if (this.#isKnown(disk, name, isFolder)) continue;
      const entry = decodeComponent(name, isFolder, this.#before);
      if (entry !== undefined) {
        this.#placesOf(entry).set(name, this.#nobody.with(disk));
        continue;
      }
      const other = decodeComponent(name, !isFolder, this.#before);
      if (other !== undefined) this.#strays.push({ disk, name, places: this.#placesOf(other) });
    }
  }

  /** @param unsure disks that could not list the folder */
  nodes(unsure: readonly Disk[]): KeyNode[] {
    this.#placeStrays();
    const nodes: KeyNode[] = [];
    for (const places of [this.#keys, this.#folders]) {
      const isFolder = places === this.#folders;
      for (const [name, holders] of places) {
        const whole = this.#base + (decodeComponent(name, isFolder, this.#before)?.text ?? '');
        // Whatever nobody can have stored is somebody else's.
        if (!isFolder && !isKey(whole)) continue;
        const folder = isFolder ? `${this.#folder}/${name}` : undefined;
        nodes.push({ name: isFolder ? `${whole}/` : whole, folder, disks: holders.withAll(unsure) });
      }
    }
    return nodes;
  }

  parts(unsure: readonly Disk[]): { folder: string; text: string; disks: readonly Disk[] }[] {
    return [...this.#parts].map(([name, holders]) => {
      const text = this.#before + (decodeComponent(name, true, this.#before)?.text ?? '');
      return { folder: `${this.#folder}/${name}`, text, disks: holders.withAll(unsure) };
    });
  }

  /** Most names are on all disks: they are decoded once. */
  #isKnown(disk: Disk, name: string, isFolder: boolean): boolean {
    for (const places of isFolder ? [this.#folders, this.#parts] : [this.#keys]) {
      const holders = places.get(name);
      if (holders === undefined) continue;
      places.set(name, holders.with(disk));
      return true;
    }
    return false;
  }

  #placesOf({ kind }: PathEntry): Map<string, Holders> {
    return kind === 'key' ? this.#keys : kind === 'folder' ? this.#folders : this.#parts;
  }

  /** What nobody else has as a key or folder is somebody else's, and nobody's concern. */
  #placeStrays(): void {
    for (const { disk, name, places } of this.#strays) {
      const holders = places.get(name);
      if (holders !== undefined) places.set(name, holders.with(disk));
    }
  }
}
