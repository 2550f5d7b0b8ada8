import { syncFolderNow } from './calls.ts';

interface Turn {
  running: Promise<void>;
  waiting?: Promise<void>;
}

/**
 * Syncs folders, and lets callers that ask at the same time share one sync (group commit, as databases do with their
 * logs). A sync serves only those who asked before it began: who asks while one runs waits for the next. All who share
 * a sync that fails are told so.
 */
export class FolderSync {
  readonly #turns = new Map<string, Turn>();

  sync(path: string): Promise<void> {
    const turn = this.#turns.get(path);
    if (turn === undefined) return this.#start(path);
    turn.waiting ??= turn.running.then(
      () => this.#start(path),
      () => this.#start(path),
    );
    return turn.waiting;
  }

  #start(path: string): Promise<void> {
    const turn: Turn = { running: syncFolderNow(path) };
    this.#turns.set(path, turn);
    const end = (): void => {
      if (turn.waiting === undefined) this.#turns.delete(path);
    };
    turn.running.then(end, end);
    return turn.running;
  }
}
