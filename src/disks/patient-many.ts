import { dirname } from 'node:path/posix';
import type { Patience } from '../concurrency/patience.ts';
import { isStoreError, type StoreError } from '../errors.ts';
import type { CreateManyOptions, Disk, Failures, NewDocument, NewFile, OldFile, ReadOutcome } from './disk.ts';
import type { RemoveManyOptions, StagedFiles, StatOutcome, WriteOptions } from './disk.ts';
import { OneByOne, type Many } from './one-by-one.ts';

/** Fewer files than so many are not worth being worked on together. */
const TOGETHER_FROM = 8;

/** How a call to a disk is waited for. */
export interface Call<T> {
  milliseconds?: number;
  /** Milliseconds that it is waited for by who is in a hurry. */
  grace?: number;
  /** Memory that the call uses, if it has any yet. */
  memory?: () => Uint8Array | undefined;
  /** Whether it changes what others may rely on. */
  changes?: boolean;
  late?: (outcome: T) => Promise<unknown>;
  givesWay?: boolean;
  isBeside?: boolean;
}

/** Makes a call to a disk, and gives it up when it takes too long. @param path what it is about */
export type Calling = <T>(action: string, path: string, call: () => Promise<T>, how?: Call<T>) => Promise<T>;

/** The calls for many files of a disk that is waited for with patience. Few files are worked on one by one. */
export class PatientMany implements Many {
  readonly #few: OneByOne;
  readonly #disk: Disk;
  readonly #call: Calling;
  readonly #patience: Patience;

  /** @param patient the disk, whose calls for one file are waited for with patience; @param disk the one behind it */
  constructor(patient: Disk, disk: Disk, call: Calling, patience: Patience) {
    this.#few = new OneByOne(patient);
    this.#disk = disk;
    this.#call = call;
    this.#patience = patience;
  }

  readMany(paths: readonly string[]): Promise<ReadOutcome[]> {
    if (paths.length < TOGETHER_FROM) return this.#few.readMany(paths);
    const read = (): Promise<ReadOutcome[]> => this.#disk.readMany(paths);
    return this.#together('read', paths, read, (error) => paths.map(() => ({ error })), this.#toLook);
  }

  statMany(paths: readonly string[]): Promise<StatOutcome[]> {
    if (paths.length < TOGETHER_FROM) return this.#few.statMany(paths);
    const look = (): Promise<StatOutcome[]> => this.#disk.statMany(paths);
    return this.#together('look at', paths, look, (error) => paths.map(() => ({ error })), this.#toLook);
  }

  createMany(files: readonly NewFile[], options: CreateManyOptions): Promise<Failures> {
    if (files.length < TOGETHER_FROM) return this.#few.createMany(files, options);
    const create = (): Promise<Failures> => this.#disk.createMany(files, options);
    const late = async (failures: Failures): Promise<void> => {
      const made = files.filter((_, index) => !failures.has(index));
      const old = made.map(({ path }) => ({ path, within: dirname(path) }));
      await this.#disk.removeMany(old, { durable: false });
    };
    return this.#together('write', files, create, (error) => allFailed(files, error), { changes: true, late });
  }

  async stageMany(documents: readonly NewDocument[], options: WriteOptions): Promise<StagedFiles> {
    if (documents.length < TOGETHER_FROM) return this.#few.stageMany(documents, options);
    const stage = (): Promise<StagedFiles> => this.#disk.stageMany(documents, options);
    const late = (staged: StagedFiles): Promise<Failures> =>
      staged.discard([...documents.keys()].filter((index) => !staged.failures.has(index)));
    const nothing = (): Promise<Failures> => Promise.resolve(new Map());
    const refused = (error: StoreError): StagedFiles => ({
      failures: allFailed(documents, error),
      publish: nothing,
      discard: nothing,
    });
    const staged = await this.#together('stage', documents, stage, refused, { changes: true, late });
    const change = (action: string, which: readonly number[], call: () => Promise<Failures>): Promise<Failures> => {
      if (which.length === 0) return nothing();
      const failed = (error: StoreError): Failures => new Map(which.map((index) => [index, error]));
      return this.#together(action, which, call, failed, { changes: true });
    };
    return {
      failures: staged.failures,
      publish: (which) => change('publish', which, () => staged.publish(which)),
      discard: (which) => change('discard', which, () => staged.discard(which)),
    };
  }

  removeMany(files: readonly OldFile[], options: RemoveManyOptions): Promise<Failures> {
    if (files.length < TOGETHER_FROM) return this.#few.removeMany(files, options);
    const remove = (): Promise<Failures> => this.#disk.removeMany(files, options);
    return this.#together('remove', files, remove, (error) => allFailed(files, error), { changes: true });
  }

  /** A look at many files takes longer than one at a single file, and less than work on them. */
  get #toLook(): Pick<Call<unknown>, 'milliseconds'> {
    return { milliseconds: this.#patience.work };
  }

  /** Work on many files, which has a thread of the disk's own. @param failed what it comes to where all of it fails */
  async #together<T>(
    action: string,
    { length }: readonly unknown[],
    call: () => Promise<T>,
    failed: (error: StoreError) => T,
    how: Call<T> = {},
  ): Promise<T> {
    const milliseconds = 2 * this.#patience.work;
    // All disks are at such work at the same time: were it given up at once, others would find no disk that owes nothing.
    const grace = this.#patience.look;
    try {
      return await this.#call(action, `${length} files`, call, { milliseconds, grace, ...how, isBeside: true });
    } catch (error) {
      if (!isStoreError(error)) throw error;
      return failed(error);
    }
  }
}

function allFailed(many: readonly unknown[], error: StoreError): Failures {
  return new Map(many.map((_, index) => [index, error]));
}
