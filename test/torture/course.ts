import { setTimeout as sleep } from 'node:timers/promises';
import type { TortureError } from './journal.ts';

/** Until when it goes on, and whether anyone has come upon a problem, which ends it for all. */
export class Course {
  readonly #end: number;
  #isOver = false;
  #problem: TortureError | undefined;

  constructor(milliseconds: number) {
    this.#end = Date.now() + milliseconds;
  }

  get isTimeUp(): boolean {
    return Date.now() > this.#end;
  }

  /** A method and no getter, because it is asked anew after a wait. */
  isOver(): boolean {
    return this.#isOver;
  }

  end(): void {
    this.#isOver = true;
  }

  /** Only the first problem counts: what comes after may be its consequence. */
  fail(problem: TortureError): void {
    this.#problem ??= problem;
    this.#isOver = true;
  }

  get problem(): TortureError | undefined {
    return this.#problem;
  }

  /** @throws what a worker has found */
  check(): void {
    if (this.#problem !== undefined) throw this.#problem;
  }

  /** Lets the workers go on for a while. */
  async liveFor(milliseconds: number): Promise<void> {
    await sleep(milliseconds);
    this.check();
  }
}
