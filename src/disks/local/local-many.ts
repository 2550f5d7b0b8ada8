import { dirname } from 'node:path/posix';
import { isStoreError, must, type StoreError } from '../../errors.ts';
import type { Turns } from '../../concurrency/call-gate.ts';
import { forEachAtOnce } from '../../concurrency/workers.ts';
import { FileThread, together, type Job, type Outcome, type Step } from '../../files/file-thread.ts';
import { SharedSync, type OneSync, type OpenSync } from '../../files/shared-sync.ts';
import { diskError } from '../disk-error.ts';
import { STAGING_FOLDER } from '../disk.ts';
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
  StageOptions,
  StatOutcome,
  WriteOptions,
} from '../disk.ts';
import { foldersBetween } from '../one-by-one.ts';
import { toFileStat } from './file-stat.ts';

/** The disk whose files they are: it does by itself what can't be done together. */
export interface One extends Pick<Disk, 'name' | 'read' | 'stat' | 'create' | 'stage' | 'remove' | 'makeFolder'> {
  /** A document that has been staged, with the folders that lead to its path. */
  staged: (path: string, options: StageOptions) => StagedFile;
  /** Syncs the innermost folder of a path that is there. */
  syncNearest: (path: string) => Promise<void>;
}

/** So many files are worked on side by side where it is done one by one. */
const LANES = 8;

/** What the thread says of a file that a shared sync would not reach. */
const ELSEWHERE = 'EXDEV';

/**
 * Work on many small files of a local disk: in a thread of the disk's own, with calls that block, and with one sync for all
 * where the file system can do that. The thread does what goes well; whatever fails there, for whatever reason, is done again
 * in the way of a single file, which knows what to make of it.
 */
export class LocalMany {
  readonly #disk: One;
  readonly #root: string;
  readonly #turns: Turns;
  readonly #openSync: OpenSync;
  readonly #thread = new FileThread();

  /** @param root absolute path of the disk's folder */
  constructor(disk: One, root: string, turns: Turns, openSync: OpenSync = (folder) => SharedSync.open(folder)) {
    this.#disk = disk;
    this.#root = root;
    this.#turns = turns;
    this.#openSync = openSync;
  }

  async readMany(paths: readonly string[]): Promise<ReadOutcome[]> {
    const jobs = paths.map((path): Job => [{ do: 'read', path }]);
    const { outcomes, bytes } = await this.#thread.run(this.#root, jobs);
    const found = outcomes.map(({ from = 0, to = 0 }): ReadOutcome => {
      return { bytes: to === 0 ? undefined : Buffer.from(bytes.slice(from, to)) };
    });
    return this.#lookAgain(paths, outcomes, found, async (path) => ({ bytes: await this.#disk.read(path) }));
  }

  async statMany(paths: readonly string[]): Promise<StatOutcome[]> {
    const jobs = paths.map((path): Job => [{ do: 'stat', path }]);
    const { outcomes } = await this.#thread.run(this.#root, jobs);
    const found = outcomes.map(({ stat }): StatOutcome => ({ stat: stat && toFileStat(stat, stat.isFile) }));
    return this.#lookAgain(paths, outcomes, found, async (path) => ({ stat: await this.#disk.stat(path) }));
  }

  /** What was found of files, those that the thread could not look at included. */
  async #lookAgain<T extends object>(
    paths: readonly string[],
    outcomes: readonly Outcome[],
    found: readonly T[],
    look: (path: string) => Promise<T>,
  ): Promise<(T | { error: StoreError })[]> {
    const all: (T | { error: StoreError })[] = [...found];
    const failures = new Map<number, StoreError>();
    await this.#again(outcomes, failures, async (index) => {
      all[index] = await look(must(paths[index], 'path'));
    });
    for (const [index, error] of failures) all[index] = { error };
    return all;
  }

  async createMany(files: readonly NewFile[], { within, durable }: CreateManyOptions): Promise<Failures> {
    const { bytes, ends } = together(files.map((file) => file.bytes));
    const folders = files.map(({ path }) => [...foldersBetween(within, path).reverse(), within]);
    const write: DurableWork = async (failures, shared) => {
      const sync = durable && shared === undefined;
      const jobs = files.map(({ path }, index): Job => {
        const range = must(ends[index], 'range of bytes');
        return [...makeFolders(within, path), { do: 'write', path, ...range, isNew: true, sync }];
      });
      const { outcomes } = await this.#thread.run(this.#root, jobs, { bytes, device: shared?.device });
      await this.#again(outcomes, failures, async (index) => {
        const file = must(files[index], 'file');
        for (const folder of foldersBetween(within, file.path)) await this.#disk.makeFolder(folder);
        await this.#disk.create(file.path, file.bytes, { durable });
        if (outcomes[index]?.errno === ELSEWHERE) await this.#syncOf(file.path, must(folders[index], 'folders'));
      });
    };
    const undo = async (indices: readonly number[]): Promise<void> => {
      const old = indices.map((index) => must(files[index], 'file').path);
      await this.removeMany(
        old.map((path) => ({ path, within: dirname(path) })),
        { durable: false },
      );
    };
    return this.#synced({ durable, folders, undo }, write);
  }

  async stageMany(documents: readonly NewDocument[], { durable }: WriteOptions): Promise<StagedFiles> {
    const { bytes, ends } = together(documents.map((document) => document.bytes));
    const optionsOf = ({ id, within }: NewDocument): StageOptions => ({ id, within, durable });
    const staged = documents.map((document) => this.#disk.staged(document.path, optionsOf(document)));
    const discard = async (which: readonly number[]): Promise<Failures> => {
      const failures = new Map<number, StoreError>();
      await this.#eachAlone(which, failures, (index) => must(staged[index], 'document').discard());
      return failures;
    };
    const write: DurableWork = async (failures, shared) => {
      const sync = durable && shared === undefined;
      const jobs = documents.map(({ id, path, within }, index): Job => {
        const range = must(ends[index], 'range of bytes');
        const step: Step = { do: 'write', path: stagedPath(id), ...range, isNew: false, sync };
        return [step, ...makeFolders(within, path)];
      });
      const { outcomes } = await this.#thread.run(this.#root, jobs, { bytes, device: shared?.device });
      await this.#again(outcomes, failures, async (index) => {
        const document = must(documents[index], 'document');
        staged[index] = await this.#disk.stage(document.path, document.bytes, optionsOf(document));
      });
    };
    const folders = documents.map(() => []);
    const failures = await this.#synced({ durable, folders, undo: discard }, write);
    const publish = async (which: readonly number[]): Promise<Failures> => {
      const chosen = which.map((index) => must(documents[index], 'document'));
      const files = which.map((index) => must(staged[index], 'document'));
      const unpublished = await this.#publish(chosen, files, durable);
      return new Map([...unpublished].map(([at, error]) => [must(which[at], 'index'), error]));
    };
    return { failures, publish, discard };
  }

  async removeMany(files: readonly OldFile[], { durable, evenFolder }: RemoveManyOptions): Promise<Failures> {
    const paths = files.map(({ path }) => path);
    const remove: DurableWork = async (failures, shared) => {
      const jobs = paths.map((path): Job => [{ do: 'unlink', path }]);
      const { outcomes } = await this.#thread.run(this.#root, jobs, { device: shared?.device });
      await this.#again(outcomes, failures, (index) => {
        const { path, within } = must(files[index], 'file');
        return this.#disk.remove(path, { within, durable, evenFolder });
      });
    };
    const folders = paths.map((path) => [dirname(path)]);
    const failures = await this.#synced({ durable, folders }, remove);
    // From the inside out. What is not empty stays.
    const between = new Set(files.flatMap(({ path, within }) => foldersBetween(within, path)));
    const tidy = [...between].sort().reverse();
    await this.#thread.run(
      this.#root,
      tidy.map((path) => [{ do: 'remove-folder', path }]),
    );
    return failures;
  }

  /** @param staged the same documents, to be published one by one */
  #publish(documents: readonly NewDocument[], staged: readonly StagedFile[], durable: boolean): Promise<Failures> {
    const folders = documents.map(({ path, within }) => [...foldersBetween(within, path).reverse(), within]);
    return this.#synced({ durable, folders }, async (failures, shared) => {
      const jobs = documents.map(({ id, path }): Job => [{ do: 'rename', path: stagedPath(id), to: path }]);
      const { outcomes } = await this.#thread.run(this.#root, jobs, { device: shared?.device });
      await this.#again(outcomes, failures, (index) => must(staged[index], 'document').publish());
    });
  }

  /**
   * Does work on files that is to be durable: with one sync for all of it, or file by file and then folder by folder. A sync that
   * failed is never tried again: what it stood for counts as failed, and is taken back.
   */
  async #synced({ durable, folders, undo }: Durable, work: DurableWork): Promise<Failures> {
    const failures = new Map<number, StoreError>();
    // In a turn: where the disk hangs, this keeps a thread of Node's pool.
    const shared = durable
      ? await this.#turns.take(() => this.#openSync(this.#root).catch(() => undefined))
      : undefined;
    try {
      await work(failures, shared);
      if (!durable) return failures;
      const done = [...folders.keys()].filter((index) => !failures.has(index));
      if (shared === undefined) await this.#syncFolders(folders, failures);
      else await this.#syncAll(shared, done, failures);
      const unsynced = done.filter((index) => failures.has(index));
      if (unsynced.length > 0) await undo?.(unsynced);
      return failures;
    } finally {
      if (shared !== undefined) await this.#turns.take(() => shared.close().catch(() => undefined));
    }
  }

  async #syncAll(shared: OneSync, done: readonly number[], failures: Map<number, StoreError>): Promise<void> {
    try {
      await this.#turns.take(() => shared.sync());
    } catch (cause) {
      const error = diskError(this.#disk.name, 'sync', '.', cause);
      for (const index of done) failures.set(index, error);
    }
  }

  /** Syncs each of the folders once; of one that has been removed, what it was in. */
  async #syncFolders(folders: Durable['folders'], failures: Map<number, StoreError>): Promise<void> {
    const names = [...new Set(folders.flat())].sort().reverse();
    const jobs = names.map((path): Job => [{ do: 'sync-folder', path }]);
    const { outcomes } = await this.#thread.run(this.#root, jobs);
    const broken = new Map<number, StoreError>();
    await this.#again(outcomes, broken, async (index) => {
      const { isUnsynced, errno: code, message = '' } = must(outcomes[index], 'outcome');
      const name = must(names[index], 'folder');
      // A sync that failed is never tried again.
      if (isUnsynced === true)
        throw diskError(this.#disk.name, 'sync folder', name, Object.assign(new Error(message), { code }));
      await this.#disk.syncNearest(`${name}/`);
    });
    for (const [at, error] of broken) {
      for (const [index, needed] of folders.entries())
        if (needed.includes(must(names[at], 'folder')) && !failures.has(index)) failures.set(index, error);
    }
  }

  /** Makes the names durable that lead to a file which has been made on another file system; otherwise the file goes. */
  async #syncOf(path: string, folders: readonly string[]): Promise<void> {
    try {
      for (const folder of folders) await this.#disk.syncNearest(`${folder}/`);
    } catch (error) {
      await this.#disk.remove(path, { within: dirname(path), durable: false });
      throw error;
    }
  }

  /** Does what failed in the thread again, one by one. */
  #again(
    outcomes: readonly Outcome[],
    failures: Map<number, StoreError>,
    work: (index: number) => Promise<void>,
  ): Promise<void> {
    const failed = [...outcomes.keys()].filter((index) => outcomes[index]?.errno !== undefined);
    return this.#eachAlone(failed, failures, work);
  }

  /** Work on files one by one, in Node's pool, where each takes a turn. */
  #eachAlone(
    indices: readonly number[],
    failures: Map<number, StoreError>,
    work: (index: number) => Promise<void>,
  ): Promise<void> {
    return forEachAtOnce(indices, LANES, async (index) => {
      try {
        await this.#turns.take(() => work(index));
      } catch (error) {
        if (!isStoreError(error)) throw error;
        failures.set(index, error);
      }
    });
  }
}

interface Durable {
  durable: boolean;
  /** The folders whose names each file needs, from the inside out. */
  folders: readonly (readonly string[])[];
  /** Takes back what was done to files. */
  undo?: (indices: readonly number[]) => Promise<unknown>;
}

/** Notes what failed. Without a shared sync, each file must be synced by itself. */
type DurableWork = (failures: Map<number, StoreError>, shared: OneSync | undefined) => Promise<void>;

function stagedPath(id: string): string {
  return `${STAGING_FOLDER}/${id}`;
}

function makeFolders(within: string, path: string): Job {
  return foldersBetween(within, path).map((folder) => ({ do: 'make-folder', path: folder }));
}
