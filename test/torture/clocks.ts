import { setTimeout as sleep } from 'node:timers/promises';
import type { Course } from './course.ts';
import type { Worker } from './fleet.ts';
import type { Journal } from './journal.ts';
import { Random } from './random.ts';

const SECOND = 1000;
const HOUR = 3600 * SECOND;

/** Sets the clocks of processes wrong, again and again, ahead and back. */
export class Clocks {
  readonly #random: Random;
  readonly #journal: Journal;
  readonly #workers: Worker[] = [];

  constructor(seed: number, journal: Journal) {
    this.#random = new Random(seed, 'clocks');
    this.#journal = journal;
  }

  /** From now on this one's clock is wrong. */
  take(worker: Worker): Worker {
    this.#workers.push(worker);
    return worker;
  }

  /** Resolves when the course is over. */
  async run(course: Course): Promise<void> {
    while (!course.isOver()) {
      await sleep(this.#random.between(50, 800));
      this.set(this.#random.pick(this.#workers), this.#choose());
    }
  }

  set(worker: Worker, milliseconds: number): void {
    if (milliseconds !== worker.clock)
      this.#journal.encounter(milliseconds < worker.clock ? 'a clock goes back' : 'a clock goes ahead');
    worker.setClock(milliseconds);
  }

  #choose(): number {
    const span = this.#random.weigh([
      [2, 0],
      [2, SECOND],
      [3, 60 * SECOND],
      [3, 6 * HOUR],
    ]);
    return this.#random.between(-span, span);
  }
}
