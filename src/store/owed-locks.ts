import { setTimeout as sleep } from 'node:timers/promises';
import type { Owed } from '../disks/patient-disk.ts';
import { isStoreError } from '../errors.ts';
import { lockName, type Locks, type LockSession } from '../locks/locks.ts';

/** Who looks for owed changes keeps its session open for so long after the last look. */
const IDLE_MS = 1000;

/** Two who look at the same moment see each other: who sees somebody looks again, so often. */
const LOOKS = 6;

const PAUSE_MS = 100;

/** Where nobody may write to the store's folder, nobody can change a disk either. */
const NOT_WRITABLE = ['EROFS', 'EACCES', 'EPERM', 'ENOENT'];

/**
 * Tells all processes by locks which disks owe a change. A lock lives as long as a thread of its process: where a process
 * has been killed while a call of it hangs in the kernel, the change is owed until that call has ended.
 */
export class OwedLocks {
  readonly #locks: Locks;
  #session: Promise<LockSession | undefined> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(locks: Locks) {
    this.#locks = locks;
  }

  /** @param id of the disk, so that one in its place owes nothing */
  of(id: string): Owed {
    const name = lockName.owed(id);
    return { hold: (over) => this.#hold(name, over), isHeld: () => this.#isHeld(name) };
  }

  async #hold(name: string, over: Promise<void>): Promise<void> {
    const state = { isOver: false };
    void over.then(() => (state.isOver = true));
    let session: LockSession | undefined;
    while (!state.isOver) {
      session ??= await this.#locks.open('read').catch(() => undefined);
      if (session?.tryLock(name, 'shared') === true) break;
      // Somebody looks at this moment, or this process can open no file: until it can, the call is waited for.
      await sleep(session === undefined ? PAUSE_MS : 1);
    }
    void over.then(() => session?.close());
  }

  async #isHeld(name: string): Promise<boolean> {
    for (let looks = 1; looks <= LOOKS; looks++) {
      const session = await this.#look();
      if (session === undefined) return false;
      if (session.tryLock(name, 'exclusive')) {
        session.unlock(name);
        return false;
      }
      await sleep(2 ** looks * Math.random());
    }
    return true;
  }

  /** The session for looking. It must be used at once: it may be closed in the next turn. */
  #look(): Promise<LockSession | undefined> {
    this.#timer ??= setTimeout(() => {
      const closing = this.#session;
      this.#timer = undefined;
      this.#session = undefined;
      void closing?.then((session) => session?.close()).catch(() => undefined);
    }, IDLE_MS).unref();
    this.#timer.refresh();
    this.#session ??= this.#open();
    return this.#session;
  }

  async #open(): Promise<LockSession | undefined> {
    try {
      return await this.#locks.open('write');
    } catch (error) {
      this.#session = undefined;
      if (isStoreError(error) && NOT_WRITABLE.includes(error.details.errno ?? '')) return undefined;
      throw error;
    }
  }
}
