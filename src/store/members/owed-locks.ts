import { setTimeout as sleep } from 'node:timers/promises';
import type { Owed } from '../../disks/patient-disk.ts';
import { lockName, type Locks, type LockSession } from '../../locks/locks.ts';

/** Who looks for owed changes keeps its session open for so long after the last look. */
const IDLE_MS = 1000;

const PAUSE_MS = 100;

/**
 * Tells all processes by locks which disks owe a change. A lock lives as long as a thread of its process: where a process
 * has been killed while a call of it hangs in the kernel, the change is owed until that call has ended.
 */
export class OwedLocks {
  readonly #locks: Locks;
  #session: Promise<LockSession> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(locks: Locks) {
    this.#locks = locks;
  }

  /** @param id of the disk, so that one in its place owes nothing */
  of(id: string): Owed {
    const group = lockName.owed(id);
    return { hold: (over) => this.#hold(group, over), isHeld: async () => (await this.#look()).isAnyHeld(group) };
  }

  async #hold(group: string, over: Promise<void>): Promise<void> {
    const state = { isOver: false };
    void over.then(() => (state.isOver = true));
    let session: LockSession | undefined;
    while (!state.isOver) {
      try {
        session ??= await this.#locks.open('write');
        if (session.tryOne(group)) break;
        // Somebody looks at this moment.
        await sleep(1);
      } catch {
        // This process can open no file, or the system has no lock left: until it has, the call is waited for.
        await sleep(PAUSE_MS);
      }
    }
    void over.then(() => session?.close());
  }

  /** The session for looking. It must be used at once: it may be closed in the next turn. */
  #look(): Promise<LockSession> {
    this.#timer ??= setTimeout(() => {
      const closing = this.#session;
      this.#timer = undefined;
      this.#session = undefined;
      void closing?.then((session) => session.close()).catch(() => undefined);
    }, IDLE_MS).unref();
    this.#timer.refresh();
    this.#session ??= this.#open();
    return this.#session;
  }

  async #open(): Promise<LockSession> {
    try {
      return await this.#locks.open('read');
    } catch (error) {
      this.#session = undefined;
      throw error;
    }
  }
}
