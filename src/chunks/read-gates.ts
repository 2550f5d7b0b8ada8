import { callsAtOnce } from '../concurrency/call-gate.ts';

interface Waiting {
  isUnwanted: () => boolean;
  enter: () => void;
}

/**
 * Lets only so many reads of each disk be on their way at once as the disk lets in. So whoever waits for a turn has no
 * buffer yet, and can still be spared the read.
 */
export class ReadGates {
  readonly #limit: number;
  readonly #inside = new Map<string, number>();
  readonly #waiting = new Map<string, Waiting[]>();

  /** @param hanging so many disks may hang; without any, nothing is gained by waiting */
  constructor(hanging: number) {
    this.#limit = hanging === 0 ? Infinity : callsAtOnce(hanging);
  }

  /** Runs `work` when it is its turn at the disk. While it waits, `isUnwanted` may take it out of the queue for good. */
  async pass<T>(disk: string, isUnwanted: () => boolean, work: () => Promise<T>): Promise<T> {
    const inside = this.#inside.get(disk) ?? 0;
    if (inside >= this.#limit) {
      await new Promise<void>((resolve) => {
        const queue = this.#waiting.get(disk) ?? [];
        queue.push({ isUnwanted, enter: resolve });
        this.#waiting.set(disk, queue);
      });
    } else {
      this.#inside.set(disk, inside + 1);
    }
    try {
      return await work();
    } finally {
      this.#leave(disk);
    }
  }

  /** The place inside goes to the next who still wants it. */
  #leave(disk: string): void {
    const queue = this.#waiting.get(disk);
    for (let next = queue?.shift(); next !== undefined; next = queue?.shift()) {
      if (next.isUnwanted()) continue;
      next.enter();
      return;
    }
    this.#inside.set(disk, (this.#inside.get(disk) ?? 1) - 1);
  }
}
