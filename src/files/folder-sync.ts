import { NO_TURNS, type Turns } from '../concurrency/call-gate.ts';
import { syncFolderNow } from './calls.ts';

/**
 * Syncs folders, and lets callers that ask at the same time share one sync (group commit, as databases do with their
 * logs). A sync serves only those who asked before it began: whoever asks while one runs waits for the next. All who share
 * a sync that fails are told so.
 */
export class FolderSync {
  readonly #turns: Turns;
  /** Syncs that run, by folder, and those that have not begun: whoever asks now may share them. */
  readonly #running = new Map<string, Promise<void>>();
  readonly #next = new Map<string, Promise<void>>();

  constructor(turns: Turns = NO_TURNS) {
    this.#turns = turns;
  }

  sync(path: string): Promise<void> {
    let sync = this.#next.get(path);
    if (sync === undefined) {
      const running = this.#running.get(path);
      const start = (): Promise<void> => this.#turns.take(() => this.#start(path));
      sync = running === undefined ? start() : running.then(start, start);
      if (!this.#running.has(path) || running !== undefined) this.#next.set(path, sync);
    }
    return this.#turns.rest(sync);
  }

  #start(path: string): Promise<void> {
    this.#next.delete(path);
    const running = syncFolderNow(path);
    this.#running.set(path, running);
    const end = (): void => {
      if (this.#running.get(path) === running) this.#running.delete(path);
    };
    running.then(end, end);
    return running;
  }
}
