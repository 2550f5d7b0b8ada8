import { setTimeout as sleep } from 'node:timers/promises';
import { throwIfAborted } from '../errors.ts';

/** So soon an abort is noticed; a listener for each of many who wait would be more than a signal likes. */
const LONGEST_SLEEP_MS = 100;

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
      throwIfAborted(signal);
      await sleep(Math.min(wait, LONGEST_SLEEP_MS));
    }
  }
}
