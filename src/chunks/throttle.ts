import { setTimeout as sleep } from 'node:timers/promises';
import { StoreError } from '../errors.ts';

/** Timers can't wait longer, and then don't wait at all. */
const LONGEST_SLEEP_MS = 2 ** 31 - 1;

/** Keeps the bytes that are read and written below a rate, on the average since it was made. */
export class Throttle {
  readonly #bytesPerMs: number;
  readonly #began = performance.now();
  #bytes = 0;

  /** @param rate bytes a second; infinite if not given */
  constructor(rate: number | undefined) {
    this.#bytesPerMs = (rate ?? Infinity) / 1000;
  }

  /** Counts bytes, and waits until they are due. @throws ABORTED */
  async take(bytes: number, signal?: AbortSignal): Promise<void> {
    this.#bytes += bytes;
    const due = this.#began + this.#bytes / this.#bytesPerMs;
    for (let wait = due - performance.now(); wait > 0; wait = due - performance.now()) {
      try {
        await sleep(Math.min(wait, LONGEST_SLEEP_MS), undefined, { signal });
      } catch (error) {
        throw new StoreError('ABORTED', 'interrupted', {}, error);
      }
    }
  }
}
