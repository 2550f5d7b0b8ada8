import { dirname } from 'node:path/posix';
import { isStoreError, must, type StoreError } from '../../errors.ts';
import type { Turns } from '../../concurrency/call-gate.ts';
import { FileThread, together, type Job, type Outcome, type Step } from '../../files/file-thread.ts';
import { SharedSync } from '../../files/shared-sync.ts';
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
  /** Whether a folder of the disk's own is there at this moment. */
  hasFolder: (folder: string) => Promise<boolean>;
}

/**
 * Work on many small files of a local disk: in a thread of the disk's own, with calls that block, and with one sync for all
 * where the file system can do that. The thread does what goes well; whatever fails there, for whatever reason, is done again
 * in the way of a single file, which knows what to make of it.
 */
export class LocalMany {
  readonly #disk: One;
  readonly #root: string;
  readonly #turns: Turns;
  readonly #thread = new FileThread();

  /** @param root absolute path of the disk's folder */
  constructor(disk: One, root: string, turns: Turns) {
    this.#disk = disk;
    this.#root = root;
    this.#turns = turns;
  }

  async readMany(paths: readonly string[]): Promise<ReadOutcome[]> {
    const jobs = paths.map((path): Job => [{ do: 'read', path }]);
    const { outcomes, bytes } = await this.#thread.run(this.#root, jobs);
    const found = outcomes.map(({ from = 0, to = 0 }): ReadOutcome => {
      return { bytes: to === 0 ? undefined : Buffer.from(bytes, from, to - from) };
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
    const isAbsent = await this.#absence(paths, outcomes);
    const left = outcomes.map((outcome, index) => (isAbsent(index) ? {} : outcome));
    const failures = new Map<number, StoreError>();
    await this.#again(left, failures, async (index) => {
      all[index] = await look(must(paths[index], 'path'));
    });
    for (const [index, error] of failures) all[index] = { error };
    return all;
  }

  async createMany(files: readonly NewFile[], { within, durable }: CreateManyOptions): Promise<Failures> {
    const { bytes, ends } = together(files.map((file) => file.bytes));
    const write = async (failures: Map<number, StoreError>, sync: boolean): Promise<void> => {
      const jobs = files.map(({ path }, index): Job => {
        const range = must(ends[index], 'range of bytes');
        return [...makeFolders(within, path), { do: 'write', path, ...range, isNew: true, sync }];
      });
      const { outcomes } = await this.#thread.run(this.#root, jobs, bytes);
      await this.#again(outcomes, failures, async (index) => {
        const { path, bytes: content } = must(files[index], 'file');
        for (const folder of foldersBetween(within, path)) await this.#disk.makeFolder(folder);
        await this.#disk.create(path, content, { durable });
      });
    };
    const undo = async (indices: readonly number[]): Promise<void> => {
      const jobs = indices.map((index): Job => [{ do: 'unlink', path: must(files[index], 'file').path }]);
      await this.#thread.run(this.#root, jobs);
    };
    const folders = files.map(({ path }) => [...foldersBetween(within, path).reverse(), within]);
    return this.#synced({ durable, folders, undo }, write);
  }

  async stageMany(documents: readonly NewDocument[], { durable }: WriteOptions): Promise<StagedFiles> {
    const { bytes, ends } = together(documents.map((document) => document.bytes));
    const optionsOf = ({ id, within }: NewDocument): StageOptions => ({ id, within, durable });
    const staged = documents.map((document) => this.#disk.staged(document.path, optionsOf(document)));
    const discard = async (which: readonly number[]): Promise<Failures> => {
      const failures = new Map<number, StoreError>();
      for (const index of which) await this.#alone(index, failures, () => must(staged[index], 'document').discard());
      return failures;
    };
    const write = async (failures: Map<number, StoreError>, sync: boolean): Promise<void> => {
      const jobs = documents.map(({ id, path, within }, index): Job => {
        const range = must(ends[index], 'range of bytes');
        const step: Step = { do: 'write', path: stagedPath(id), ...range, isNew: false, sync };
        return [step, ...makeFolders(within, path)];
      });
      const { outcomes } = await this.#thread.run(this.#root, jobs, bytes);
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
    const remove = async (failures: Map<number, StoreError>): Promise<void> => {
      const jobs = paths.map((path): Job => [{ do: 'unlink', path }]);
      const { outcomes } = await this.#thread.run(this.#root, jobs);
      const isAbsent = await this.#absence(paths, outcomes);
      const left = outcomes.map((outcome, index) => (isAbsent(index) ? {} : outcome));
      await this.#again(left, failures, (index) => {
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
    return this.#synced({ durable, folders }, async (failures) => {
      const jobs = documents.map(({ id, path }): Job => [{ do: 'rename', path: stagedPath(id), to: path }]);
      const { outcomes } = await this.#thread.run(this.#root, jobs);
      await this.#again(outcomes, failures, (index) => must(staged[index], 'document').publish());
    });
  }

  /**
   * Does work on files that is to be durable: with one sync for all of it, or file by file and then folder by folder. A sync that
   * failed is never tried again: what it stood for counts as failed.
   * @param how with the folders whose names each file needs, from the inside out, and what takes back what was done to files
   * @param work notes what failed; told whether each file must be synced by itself
   */
  async #synced(
    { durable, folders, undo }: Durable,
    work: (failures: Map<number, StoreError>, sync: boolean) => Promise<void>,
  ): Promise<Failures> {
    const failures = new Map<number, StoreError>();
    const shared = durable ? await SharedSync.open(this.#root).catch(() => undefined) : undefined;
    const isDone = (index: number): boolean => !failures.has(index);
    try {
      await work(failures, durable && shared === undefined);
      if (!durable) return failures;
      const done = [...folders.keys()].filter(isDone);
      if (shared === undefined) await this.#syncFolders(folders, failures);
      else await this.#syncAll(shared, done, failures);
      await undo?.(done.filter((index) => !isDone(index)));
      return failures;
    } finally {
      await shared?.close().catch(() => undefined);
    }
  }

  async #syncAll(shared: SharedSync, done: readonly number[], failures: Map<number, StoreError>): Promise<void> {
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
    await this.#again(outcomes, broken, (index) => this.#disk.syncNearest(`${must(names[index], 'folder')}/`));
    for (const [at, error] of broken) {
      for (const [index, needed] of folders.entries())
        if (needed.includes(must(names[at], 'folder')) && !failures.has(index)) failures.set(index, error);
    }
  }

  /** Does what failed in the thread again, one by one. */
  async #again(
    outcomes: readonly Outcome[],
    failures: Map<number, StoreError>,
    work: (index: number) => Promise<void>,
  ): Promise<void> {
    for (const [index, { errno }] of outcomes.entries())
      if (errno !== undefined) await this.#alone(index, failures, () => work(index));
  }

  /** Work on one file, in Node's pool, where it takes a turn. */
  async #alone(index: number, failures: Map<number, StoreError>, work: () => Promise<void>): Promise<void> {
    try {
      await this.#turns.take(work);
    } catch (error) {
      if (!isStoreError(error)) throw error;
      failures.set(index, error);
    }
  }

  /** Tells which files are not there while the disk is: the folder of the disk that each is in is there. */
  async #absence(paths: readonly string[], outcomes: readonly Outcome[]): Promise<(index: number) => boolean> {
    const outermost = (index: number): string => paths[index]?.split('/', 1)[0] ?? '';
    const missing = outcomes.flatMap(({ errno }, index) => (errno === 'ENOENT' ? [index] : []));
    const there = new Set<string>();
    for (const folder of new Set(missing.map(outermost)))
      if (await this.#turns.take(() => this.#disk.hasFolder(folder))) there.add(folder);
    const absent = new Set(missing.filter((index) => there.has(outermost(index))));
    return (index) => absent.has(index);
  }
}

interface Durable {
  durable: boolean;
  folders: readonly (readonly string[])[];
  undo?: (indices: readonly number[]) => Promise<unknown>;
}

function stagedPath(id: string): string {
  return `${STAGING_FOLDER}/${id}`;
}

function makeFolders(within: string, path: string): Job {
  return foldersBetween(within, path).map((folder) => ({ do: 'make-folder', path: folder }));
}
