import { dirname } from 'node:path/posix';
import { isDiskFault, StoreError } from '../errors.ts';
import { CallGate, type Turns } from '../concurrency/call-gate.ts';
import { bufferFor, type Disk, type DiskEntry, type DiskRoom, type DiskState, type FileStat } from './disk.ts';
import type { ReadOptions, RemoveOptions, StagedFile, StageOptions, WriteOptions } from './disk.ts';
import type { CreateManyOptions, Failures, NewDocument, NewFile, OldFile, ReadOutcome } from './disk.ts';
import type { RemoveManyOptions, StagedFiles, StatOutcome } from './disk.ts';
import { PatientMany, type Call, type Calling } from './patient-many.ts';
import { lend } from '../memory/lent-memory.ts';
import type { Patience } from '../concurrency/patience.ts';

/** A read of a chunk that has not come after so many milliseconds is late. */
const LATE_MS = 500;

/** In so many parts that time is counted. */
const PARTS = 5;

/** A disk that has kept a reader waiting is slow for so many milliseconds; then it is trusted again, by a reader that will notice. */
const SLOW_MS = 30_000;

/** What tells everybody, other processes too, that a disk owes something: a change that was given up, and may still be made. */
export interface Owed {
  /** Tells it until `over` resolves. Resolves when everybody can know; rejects never. */
  hold(over: Promise<void>): Promise<void>;
  isHeld(): Promise<boolean>;
}

export interface PatientDiskOptions {
  /** How many calls of the disk may be under way at once; it may change. */
  atOnce: () => number;
  owed: Owed;
  patience: Patience;
  /** Milliseconds; half a second if not given. */
  late?: number | undefined;
  /** Called when somebody has waited for the disk for a while: once, until it has answered. */
  onWait?: ((what: string) => void) | undefined;
  /** Once aborted, hardly any patience is left. */
  hurry?: AbortSignal | undefined;
}

/**
 * A disk around a disk: nobody waits for it for ever. All that waits for the disk, in all operations of a store, waits
 * here: for a turn, because calls that hang must leave threads to others; for an answer; and for a chunk that is slow to
 * come. A call that does not return in time is given up, and fails with DISK_IO and the fault `offline`; until it
 * returns, the disk is `hanging`, and nothing more is asked of it.
 *
 * What a given-up call still does must be harmless. So if it may change something, the disk owes that change: every
 * process is told before the caller is, and until the change is made or has failed, the disk is `hanging` for all of
 * them. Whoever has the lock of a path, and has looked at the disk since, can be sure that no change of it is owed.
 */
export class PatientDisk implements Disk {
  readonly name: string;
  /** Where calls wait for their turn, and so do looks at the disk's place. */
  readonly gate: CallGate;
  readonly #disk: Disk;
  readonly #options: PatientDiskOptions;
  /** A flush keeps no thread, so it takes no turn from other calls. */
  readonly #flushes = new CallGate(() => Infinity);
  readonly #many: PatientMany;
  #isNoticed = false;
  #slowUntil = 0;

  /** @param open makes the disk, which may let others have its turn while it waits for something */
  constructor(open: (turns: Turns) => Disk, options: PatientDiskOptions) {
    this.gate = new CallGate(options.atOnce);
    const disk = open(this.gate);
    this.name = disk.name;
    this.#disk = disk;
    this.#options = options;
    const calling: Calling = (action, path, call, how) => this.#call(action, path, call, how);
    this.#many = new PatientMany(this, disk, calling, options.patience);
  }

  get isSlow(): boolean {
    return performance.now() < this.#slowUntil;
  }

  async state(): Promise<DiskState> {
    const { owed, patience } = this.#options;
    const silent: DiskState = { status: 'hanging', reason: `it has not answered for ${patience.look / 1000} s` };
    const asked = await this.#look('look at', 'it', () => this.#disk.state()).catch((error: unknown) => {
      // A disk has no other way to fail to say how it is.
      if (isDiskFault(error)) return silent;
      throw error;
    });
    if (asked.status !== 'online' || !(await owed.isHeld())) return asked;
    return { status: 'hanging', reason: 'it has not done yet what a command has asked of it' };
  }

  async read(path: string, options: ReadOptions = {}): Promise<Buffer | undefined> {
    // Only reads of chunks bring a buffer.
    if (options.buffer === undefined) return this.#look('read', path, () => this.#disk.read(path, options));
    const watch = this.#watch(options.onLate);
    let memory: Buffer | undefined;
    const call = (): Promise<Buffer | undefined> => {
      memory = bufferFor(options);
      watch?.begin();
      return this.#disk.read(path, { ...options, buffer: memory });
    };
    try {
      return await this.#call('read', path, call, { memory: () => memory, givesWay: true });
    } finally {
      watch?.end();
    }
  }

  stat(path: string): Promise<FileStat | undefined> {
    return this.#look('look at', path, () => this.#disk.stat(path));
  }

  room(): Promise<DiskRoom | undefined> {
    return this.#look('look at', 'its room', () => this.#disk.room());
  }

  list(path: string): Promise<DiskEntry[]> {
    return this.#look('list', path, () => this.#disk.list(path));
  }

  create(path: string, bytes: Uint8Array, options: WriteOptions): Promise<void> {
    // A write that was reported as failed leaves nothing behind.
    const late = (): Promise<void> => this.#disk.remove(path, { within: dirname(path), durable: false });
    const write = (): Promise<void> => this.#disk.create(path, bytes, options);
    return this.#call('write', path, write, { memory: () => bytes, changes: true, late });
  }

  async stage(path: string, bytes: Uint8Array, options: StageOptions): Promise<StagedFile> {
    const late = (staged: StagedFile): Promise<void> => staged.discard();
    const stage = (): Promise<StagedFile> => this.#disk.stage(path, bytes, options);
    const staged = await this.#call('stage', path, stage, { memory: () => bytes, changes: true, late });
    return {
      publish: () => this.#change('publish', path, () => staged.publish()),
      discard: () => this.#change('discard', path, () => staged.discard()),
    };
  }

  remove(path: string, options: RemoveOptions): Promise<void> {
    return this.#change('remove', path, () => this.#disk.remove(path, options));
  }

  rename(path: string, to: string, options: WriteOptions): Promise<void> {
    return this.#change('rename', path, () => this.#disk.rename(path, to, options));
  }

  makeFolder(path: string): Promise<void> {
    return this.#change('make folder', path, () => this.#disk.makeFolder(path));
  }

  removeFolder(path: string): Promise<boolean> {
    return this.#change('remove folder', path, () => this.#disk.removeFolder(path));
  }

  syncFolder(path: string): Promise<void> {
    return this.#call('sync folder', path, () => this.#disk.syncFolder(path));
  }

  setAside(path: string): Promise<string | undefined> {
    return this.#change('set aside', path, () => this.#disk.setAside(path));
  }

  flush(): Promise<void> {
    const { patience, onWait, hurry } = this.#options;
    return this.#flushes.pass({
      call: () => this.#disk.flush(),
      // What others have written to the same file system is waited for as well.
      waiting: {
        milliseconds: 2 * patience.work,
        notice: patience.notice,
        hurry,
        onNotice: () => onWait?.(`waiting for disk "${this.name}" to write back what it has been given`),
      },
      refusal: () => this.#offline('does not come to an end of writing back what it has been given'),
    });
  }

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

  #look<T>(action: string, path: string, call: () => Promise<T>): Promise<T> {
    return this.#call(action, path, call, { milliseconds: this.#options.patience.look });
  }

  #change<T>(action: string, path: string, call: () => Promise<T>): Promise<T> {
    return this.#call(action, path, call, { changes: true });
  }

  #call<T>(action: string, path: string, call: () => Promise<T>, how: Call<T> = {}): Promise<T> {
    const { owed, patience, hurry } = this.#options;
    const { milliseconds, grace, memory, changes, late, givesWay, isBeside } = how;
    const onNotice = (): void => {
      this.#notice();
    };
    return this.gate.pass({
      call: async () => {
        const outcome = await call();
        this.#isNoticed = false;
        return outcome;
      },
      waiting: { milliseconds: milliseconds ?? patience.work, notice: patience.notice, hurry, grace, onNotice },
      givesWay,
      isBeside,
      refusal: () => this.#offline(`does not answer: cannot ${action} ${path}`, isBeside === true ? undefined : path),
      onGivenUp: async (over) => {
        const lent = memory?.();
        if (lent !== undefined) lend(lent, over);
        if (changes === true) await owed.hold(over);
      },
      late,
    });
  }

  /**
   * Tells a reader when to look elsewhere, and notes that the disk is slow: when a read that has had its turn has not come
   * in time. One that waits for its turn is late only where nothing comes back, or where the disk is known to be slow; not
   * while others have their turns. The time is counted in parts, so that it is not the disk that pays for a busy process.
   */
  #watch(onLate: (() => void) | undefined): { begin: () => void; end: () => void } | undefined {
    if (onLate === undefined) return undefined;
    let hasBegun = false;
    let isOver = false;
    let left = PARTS;
    let seen = this.gate.ended;
    const look = (): void => {
      if (--left === 0) {
        if (hasBegun || this.gate.ended === seen) this.#slowUntil = performance.now() + SLOW_MS;
        seen = this.gate.ended;
        left = PARTS;
        isOver = this.isSlow;
      }
      if (isOver) onLate();
      else timer.refresh();
    };
    const timer = setTimeout(look, (this.#options.late ?? LATE_MS) / PARTS);
    return {
      begin: () => {
        hasBegun = true;
        left = PARTS;
        if (!isOver) timer.refresh();
      },
      end: () => {
        isOver = true;
        clearTimeout(timer);
      },
    };
  }

  #offline(what: string, path?: string): StoreError {
    return new StoreError('DISK_IO', `disk "${this.name}" ${what}`, { disk: this.name, path, fault: 'offline' });
  }

  #notice(): void {
    if (!this.#isNoticed) this.#options.onWait?.(`waiting for disk "${this.name}", which does not answer`);
    this.#isNoticed = true;
  }
}
