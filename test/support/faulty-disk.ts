import { diskError } from '../../src/disks/disk-error.ts';
import { OneByOne } from '../../src/disks/one-by-one.ts';
import type {
  Disk,
  DiskEntry,
  DiskRoom,
  DiskState,
  FileStat,
  ReadOptions,
  RemoveOptions,
  StagedFile,
  StageOptions,
  CreateManyOptions,
  Failures,
  NewDocument,
  NewFile,
  OldFile,
  ReadOutcome,
  RemoveManyOptions,
  StagedFiles,
  StatOutcome,
  WriteOptions,
} from '../../src/disks/disk.ts';

/** The calls that a fault can be planned for. `publish` and `discard` are those of a staged file, under its path. */
export type FaultyOperation = Exclude<keyof Disk, 'name' | 'isSlow' | 'state' | keyof OneByOne> | keyof StagedFile;

export type FaultEffect =
  /** Rejects as the local disk does on this system error, without having done anything. */
  | { kind: 'fail'; errno: string }
  /** Does the work and rejects all the same: what a create or stage wrote stays, as on a disk that can't even remove it. */
  | { kind: 'fail-after'; errno: string }
  /** Gives the reader other bytes than those that are there. Only for `read`, of a file that is there. */
  | { kind: 'damage'; damage: (bytes: Buffer) => Buffer }
  /** Waits for `until` before it does the work. */
  | { kind: 'hang'; until: Promise<unknown> };

/** One planned fault: which call it strikes, and how. */
export interface PlannedFault {
  operation: FaultyOperation;
  /** Counts only calls about this path, or about paths that match; every path if not given. */
  path?: string | RegExp;
  /** Strikes at the nth call that counts, from 1; the first if not given. */
  nth?: number;
  /** Strikes so many calls in a row; 1 if not given, `Infinity` for a disk that stays broken. */
  times?: number;
  effect: FaultEffect;
}

/**
 * A disk for tests: hands every call on to a real one, and strikes those that were planned for. It counts the calls of
 * each fault by itself, so faults do not shift one another; of two that meet in one call, the first of the list strikes.
 *
 * A test ends with `expectAllFired()`: a planned fault that never struck has proved nothing.
 */
export class FaultyDisk implements Disk {
  readonly name: string;
  readonly #disk: Disk;
  readonly #many = new OneByOne(this);
  readonly #faults: { plan: PlannedFault; seen: number; fired: boolean }[];

  constructor(disk: Disk, faults: readonly PlannedFault[]) {
    for (const plan of faults) {
      if (plan.effect.kind === 'damage' && plan.operation !== 'read') throw new TypeError('only a read can be damaged');
    }
    this.name = disk.name;
    this.#disk = disk;
    this.#faults = faults.map((plan) => ({ plan, seen: 0, fired: false }));
  }

  get isSlow(): boolean {
    return this.#disk.isSlow;
  }

  /** Throws an error that names the planned faults which have not struck. */
  expectAllFired(): void {
    const silent = this.#faults.filter(({ fired }) => !fired).map(({ plan }) => `${plan.operation} ${plan.path ?? ''}`);
    if (silent.length > 0) throw new Error(`planned faults of disk "${this.name}" never fired: ${silent.join(', ')}`);
  }

  state(): Promise<DiskState> {
    return this.#disk.state();
  }

  async read(path: string, options?: ReadOptions): Promise<Buffer | undefined> {
    const effect = this.#next('read', path);
    const bytes = await this.#apply(effect, 'read', path, () => this.#disk.read(path, options));
    if (effect?.kind !== 'damage') return bytes;
    if (bytes === undefined) throw new TypeError(`there is no ${path} to damage`);
    return effect.damage(bytes);
  }

  stat(path: string): Promise<FileStat | undefined> {
    return this.#strike('stat', path, () => this.#disk.stat(path));
  }

  create(path: string, bytes: Uint8Array, options: WriteOptions): Promise<void> {
    return this.#strike('create', path, () => this.#disk.create(path, bytes, options));
  }

  async stage(path: string, bytes: Uint8Array, options: StageOptions): Promise<StagedFile> {
    const staged = await this.#strike('stage', path, () => this.#disk.stage(path, bytes, options));
    return {
      publish: () => this.#strike('publish', path, () => staged.publish()),
      discard: () => this.#strike('discard', path, () => staged.discard()),
    };
  }

  remove(path: string, options: RemoveOptions): Promise<void> {
    return this.#strike('remove', path, () => this.#disk.remove(path, options));
  }

  rename(path: string, to: string, options: WriteOptions): Promise<void> {
    return this.#strike('rename', path, () => this.#disk.rename(path, to, options));
  }

  room(): Promise<DiskRoom | undefined> {
    return this.#strike('room', '', () => this.#disk.room());
  }

  makeFolder(path: string): Promise<void> {
    return this.#strike('makeFolder', path, () => this.#disk.makeFolder(path));
  }

  syncFolder(path: string): Promise<void> {
    return this.#strike('syncFolder', path, () => this.#disk.syncFolder(path));
  }

  flush(): Promise<void> {
    return this.#strike('flush', '', () => this.#disk.flush());
  }

  removeFolder(path: string): Promise<boolean> {
    return this.#strike('removeFolder', path, () => this.#disk.removeFolder(path));
  }

  list(path: string): Promise<DiskEntry[]> {
    return this.#strike('list', path, () => this.#disk.list(path));
  }

  setAside(path: string): Promise<string | undefined> {
    return this.#strike('setAside', path, () => this.#disk.setAside(path));
  }
  // By the calls for one file, so that faults that are planned for these strike there too.

  readMany(paths: readonly string[]): Promise<ReadOutcome[]> {
    return this.#many.readMany(paths);
  }

  statMany(paths: readonly string[]): Promise<StatOutcome[]> {
    return this.#many.statMany(paths);
  }

  createMany(files: readonly NewFile[], options: CreateManyOptions): Promise<Failures> {
    return this.#many.createMany(files, options);
  }

  stageMany(documents: readonly NewDocument[], options: WriteOptions): Promise<StagedFiles> {
    return this.#many.stageMany(documents, options);
  }

  removeMany(files: readonly OldFile[], options: RemoveManyOptions): Promise<Failures> {
    return this.#many.removeMany(files, options);
  }

  #strike<T>(operation: FaultyOperation, path: string, call: () => Promise<T>): Promise<T> {
    return this.#apply(this.#next(operation, path), operation, path, call);
  }

  /** Counts the call with every fault that it concerns, and picks the one that strikes. */
  #next(operation: FaultyOperation, path: string): FaultEffect | undefined {
    let effect: FaultEffect | undefined;
    for (const fault of this.#faults) {
      const { plan } = fault;
      const concerned =
        plan.path === undefined || (plan.path instanceof RegExp ? path.search(plan.path) !== -1 : plan.path === path);
      if (plan.operation !== operation || !concerned) continue;
      fault.seen++;
      const first = plan.nth ?? 1;
      if (effect !== undefined || fault.seen < first || fault.seen >= first + (plan.times ?? 1)) continue;
      fault.fired = true;
      effect = plan.effect;
    }
    return effect;
  }

  async #apply<T>(
    effect: FaultEffect | undefined,
    operation: string,
    path: string,
    call: () => Promise<T>,
  ): Promise<T> {
    if (effect?.kind === 'hang') await effect.until;
    if (effect?.kind === 'fail-after') await call();
    if (effect?.kind === 'fail' || effect?.kind === 'fail-after') {
      const cause = Object.assign(new Error(`${effect.errno}: a planned fault`), { code: effect.errno });
      throw diskError(this.name, operation, path, cause);
    }
    return call();
  }
}
