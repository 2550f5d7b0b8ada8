import { hash, randomInt } from 'node:crypto';
import { constants } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import native from 'fs-native-extensions';
import { errnoOf, reasonOf, StoreError, throwIfAborted, throwIfShort } from '../errors.ts';
import { close, except, FILE_ONLY, fstat, fstatBig, ftruncate, futimes, open, READ, stat } from '../files/calls.ts';
import { describeWait, type LockAccess, type LockMode, type Locks, type LockSession } from './locks.ts';
import { SharedNote } from './shared-note.ts';

const { O_APPEND, O_CREAT, O_RDWR } = constants;

/** How the lock file is opened by who writes: made if it is not there. */
const WRITE = O_RDWR | O_APPEND | O_CREAT | FILE_ONLY;

const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 25;

/** A group of locks is this many bytes in a row; taking one of them takes any. */
const GROUP_SIZE = 65_536;

/** Who is told what a session waits for, and after how many milliseconds. */
export interface LockNotice {
  after: number;
  onWait: (what: string) => void;
}

/**
 * Locks on byte ranges of one file, kept by the kernel (on Linux: open file description locks, `fcntl(2)`).
 *
 * A name stands for one byte at a 52-bit offset, so there is no file per lock to make, clean up or leave behind; two
 * names that fall on one byte would merely wait for each other. Waiting is done by asking again: the blocking call
 * would keep a thread of Node's small pool, and with all of them waiting no holder could finish its work.
 */
export class KernelLocks implements Locks {
  readonly #path: string;
  readonly #note: SharedNote;
  readonly #notice: LockNotice | undefined;

  /**
   * @param path The lock file. It is made when first needed and must never be removed while the store is in use.
   * @param note A file for the shared note. It may be removed while nobody mints a version.
   */
  constructor(path: string, notice?: LockNotice, note = new SharedNote(`${path}.note`)) {
    this.#path = path;
    this.#notice = notice;
    this.#note = note;
  }

  async open(access: LockAccess): Promise<LockSession> {
    const fd = access === 'write' ? await this.#openForWriting() : await this.#openForReading();
    return new KernelLockSession(this.#path, fd, this.#notice, this.#note);
  }

  async #openForWriting(): Promise<number> {
    try {
      return await open(this.#path, WRITE, 0o666);
    } catch (error) {
      throwIfShort(error, `cannot open the store's locks ("${this.#path}")`);
      const words = `the store cannot be written to: ${reasonOf(error)} ("${this.#path}")`;
      throw new StoreError('STORE_NOT_WRITABLE', words, { path: this.#path, errno: errnoOf(error) }, error);
    }
  }

  async #openForReading(): Promise<number | undefined> {
    try {
      return (
        (await except(open(this.#path, READ), 'ENOENT')) ??
        (await except(open(this.#path, WRITE, 0o666), 'EROFS', 'EACCES', 'ENOENT'))
      );
    } catch (error) {
      throwIfShort(error, `cannot open the store's locks ("${this.#path}")`);
      const words = `cannot open the store's locks: ${reasonOf(error)}`;
      throw new StoreError('STORE_DAMAGED', words, { path: this.#path }, error);
    }
  }
}

class KernelLockSession implements LockSession {
  readonly #path: string;
  readonly #fd: number | undefined;
  readonly #notice: LockNotice | undefined;
  readonly #note: SharedNote;

  constructor(path: string, fd: number | undefined, notice: LockNotice | undefined, note: SharedNote) {
    this.#path = path;
    this.#fd = fd;
    this.#notice = notice;
    this.#note = note;
  }

  get effective(): boolean {
    return this.#fd !== undefined;
  }

  tryLock(name: string, mode: LockMode): boolean {
    if (this.#fd === undefined) return true;
    return native.tryLock(this.#fd, offsetOf(name), 1, { shared: mode === 'shared' });
  }

  async lock(name: string, mode: LockMode, signal?: AbortSignal): Promise<void> {
    await this.lockWithin(Infinity, name, mode, signal);
  }

  async lockWithin(milliseconds: number, name: string, mode: LockMode, signal?: AbortSignal): Promise<boolean> {
    const began = performance.now();
    let isNoticed = false;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      throwIfAborted(signal);
      if (this.tryLock(name, mode)) return true;
      const waited = performance.now() - began;
      if (waited >= milliseconds) return false;
      if (!isNoticed && this.#notice !== undefined && waited >= this.#notice.after) {
        isNoticed = true;
        this.#notice.onWait(describeWait(name, mode));
      }
      // The random part keeps waiters from asking in step.
      await sleep(pause * (0.5 + Math.random()));
    }
  }

  unlock(name: string): void {
    if (this.#fd !== undefined) native.unlock(this.#fd, offsetOf(name), 1);
  }

  tryOne(group: string): boolean {
    if (this.#fd === undefined) return true;
    return native.tryLock(this.#fd, offsetOf(group) + randomInt(GROUP_SIZE), 1, { shared: false });
  }

  isAnyHeld(group: string): boolean {
    if (this.#fd === undefined) return false;
    const offset = offsetOf(group);
    if (!native.tryLock(this.#fd, offset, GROUP_SIZE, { shared: true })) return true;
    native.unlock(this.#fd, offset, GROUP_SIZE);
    return false;
  }

  async mark(): Promise<void> {
    // The file's time means nothing else. The clock would not do: it may stand still for some milliseconds.
    const time = new Date(randomInt(2 ** 40));
    const fd = this.#fd;
    if (fd === undefined) return;
    // Only its owner may set a file's time; another that may write to it changes its size, which means nothing either.
    await futimes(fd, time, time)
      .catch(() => ftruncate(fd, randomInt(1, 2 ** 16)))
      .catch(() => undefined);
  }

  async stamp(): Promise<string> {
    if (this.#fd === undefined) return '';
    const { mtimeNs, size } = await fstatBig(this.#fd);
    return `${mtimeNs} ${size}`;
  }

  updateNote(change: (note: string) => string): Promise<void> {
    return this.#note.update(change);
  }

  async isCurrent(): Promise<boolean> {
    if (this.#fd === undefined) return true;
    const [mine, named] = await Promise.all([fstat(this.#fd), except(stat(this.#path), 'ENOENT')]);
    return mine.ino === named?.ino && mine.dev === named.dev;
  }

  async close(): Promise<void> {
    if (this.#fd !== undefined) await close(this.#fd).catch(() => undefined);
  }
}

function offsetOf(name: string): number {
  return Number.parseInt(hash('sha256', name, 'hex').slice(0, 13), 16);
}
