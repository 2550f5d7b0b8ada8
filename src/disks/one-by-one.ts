import { dirname } from 'node:path/posix';
import { isStoreError, must, type StoreError } from '../errors.ts';
import type {
  CreateManyOptions,
  Disk,
  Failures,
  NewDocument,
  NewFile,
  OldFile,
  ReadOutcome,
  RemoveManyOptions,
  StagedFile,
  StagedFiles,
  StatOutcome,
  WriteOptions,
} from './disk.ts';

type One = Pick<Disk, 'read' | 'stat' | 'create' | 'stage' | 'remove' | 'makeFolder' | 'syncFolder'>;
/** The calls for many files. */
export type Many = Pick<Disk, 'readMany' | 'statMany' | 'createMany' | 'stageMany' | 'removeMany'>;

/** The calls for many files by those for one, side by side: for a disk that has nothing to share among them, or for few files. */
export class OneByOne implements Many {
  readonly #disk: One;

  constructor(disk: One) {
    this.#disk = disk;
  }

  readMany(paths: readonly string[]): Promise<ReadOutcome[]> {
    return Promise.all(
      paths.map(async (path) => {
        try {
          return { bytes: await this.#disk.read(path) };
        } catch (error) {
          return { error: storeError(error) };
        }
      }),
    );
  }

  statMany(paths: readonly string[]): Promise<StatOutcome[]> {
    return Promise.all(
      paths.map(async (path) => {
        try {
          return { stat: await this.#disk.stat(path) };
        } catch (error) {
          return { error: storeError(error) };
        }
      }),
    );
  }

  async createMany(files: readonly NewFile[], { within, durable }: CreateManyOptions): Promise<Failures> {
    const folders = new Set(files.flatMap(({ path }) => foldersBetween(within, path)));
    const broken = await this.#inFolders(folders, (folder) => this.#disk.makeFolder(folder));
    const brokenFor = ({ path }: NewFile): StoreError | undefined =>
      foldersBetween(within, path)
        .map((folder) => broken.get(folder))
        .find((error) => error !== undefined);
    const made = new Set<NewFile>();
    const failures = new Map(
      await failuresOf(files, async (file) => {
        const error = brokenFor(file);
        if (error !== undefined) throw error;
        await this.#disk.create(file.path, file.bytes, { durable });
        made.add(file);
      }),
    );
    if (!durable) return failures;
    for (const [folder, error] of await this.#inFolders([...folders, within], (at) => this.#disk.syncFolder(at)))
      broken.set(folder, error);
    const unsynced = [...made].filter((file) => (broken.get(within) ?? brokenFor(file)) !== undefined);
    for (const file of unsynced)
      failures.set(files.indexOf(file), must(broken.get(within) ?? brokenFor(file), 'reason'));
    const old = unsynced.map(({ path }) => ({ path, within: dirname(path) }));
    await this.removeMany(old, { durable: false });
    return failures;
  }

  async stageMany(documents: readonly NewDocument[], { durable }: WriteOptions): Promise<StagedFiles> {
    const staged = new Map<number, StagedFile>();
    const each = (which: readonly number[], work: (file: StagedFile) => Promise<void>): Promise<Failures> =>
      failuresOf(which, (index) => work(must(staged.get(index), 'staged document')), which);
    const failures = await failuresOf(documents, async ({ path, bytes, id, within }, index) => {
      staged.set(index, await this.#disk.stage(path, bytes, { id, within, durable }));
    });
    return {
      failures,
      publish: (which) => each(which, (file) => file.publish()),
      discard: (which) => each(which, (file) => file.discard()),
    };
  }

  removeMany(files: readonly OldFile[], { durable, evenFolder }: RemoveManyOptions): Promise<Failures> {
    return failuresOf(files, ({ path, within }) => this.#disk.remove(path, { within, durable, evenFolder }));
  }

  /** Works in folders one after the other, from the outside in, and tells what failed where. */
  async #inFolders(
    folders: Iterable<string>,
    work: (folder: string) => Promise<void>,
  ): Promise<Map<string, StoreError>> {
    const failures = new Map<string, StoreError>();
    for (const folder of [...folders].sort()) {
      try {
        await work(folder);
      } catch (error) {
        failures.set(folder, storeError(error));
      }
    }
    return failures;
  }
}

/**
 * Runs `work` on all items side by side, and tells by their indices which failed. It ends only when all are at rest.
 * @param indices of the items, where they are not those of the list
 */
async function failuresOf<T>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<void>,
  indices?: readonly number[],
): Promise<Failures> {
  const outcomes = await Promise.allSettled(items.map((item, index) => work(item, index)));
  const failures = new Map<number, StoreError>();
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome.status === 'fulfilled') continue;
    failures.set(indices?.[index] ?? index, storeError(outcome.reason));
  }
  return failures;
}

/** What a call to a disk rejects with; anything else is a slip of the program. */
function storeError(error: unknown): StoreError {
  if (isStoreError(error)) return error;
  throw error;
}

/** The folders below `within` that lead to `path`, from the outside in. */
export function foldersBetween(within: string, path: string): string[] {
  const rest = path.slice(within.length + 1).split('/');
  return rest.slice(0, -1).map((_, index) => `${within}/${rest.slice(0, index + 1).join('/')}`);
}
