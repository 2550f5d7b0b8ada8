import { setTimeout as sleep } from 'node:timers/promises';
import { throwIfAborted } from '../errors.ts';

/** An abort is noticed within this time; a listener for each of many waiting calls is more than a signal allows. */
const LONGEST_SLEEP_MS = 100;

/** Milliseconds, and how to let some pass. */
export interface Clock {
  now: () => number;
  sleep: (milliseconds: number) => Promise<unknown>;
}

/** Keeps the bytes that are read and written below a rate, on the average since it was made. */
export class Throttle {
  readonly #bytesPerMs: number;
  readonly #clock: Clock;
  readonly #began: number;
  #bytes = 0;

  /** @param rate bytes a second; infinite if not given */
  constructor(rate: number | undefined, clock: Clock = { now: () => performance.now(), sleep }) {
    this.#bytesPerMs = (rate ?? Infinity) / 1000;
    this.#clock = clock;
    this.#began = clock.now();
  }

  /** Counts bytes, and waits until they are due. @throws ABORTED */
  async take(bytes: number, signal?: AbortSignal): Promise<void> {
    this.#bytes += bytes;
    const due = this.#began + this.#bytes / this.#bytesPerMs;
    for (let wait = due - this.#clock.now(); wait > 0; wait = due - this.#clock.now()) {
      throwIfAborted(signal);
      await this.#clock.sleep(Math.min(wait, LONGEST_SLEEP_MS));
    }
  }
}
