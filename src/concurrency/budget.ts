/** Gives a share back. */
export type Release = () => void;

interface Waiting {
  amount: number;
  enter: () => void;
}

/**
 * Limits how much may be in use at once, of memory for instance. A caller that needs more than is free waits for its turn,
 * first come, first served. It takes all that it needs at once, and waits for no other share while it has one: so every
 * share is given back in the end, and everybody has a turn.
 */
export class Budget {
  readonly #total: number;
  #free: number;
  readonly #waiting: Waiting[] = [];

  /** @param total A caller that needs more gets all of it. */
  constructor(total: number) {
    this.#total = total;
    this.#free = total;
  }

  async spend<T>(amount: number, work: () => Promise<T>): Promise<T> {
    const release = await this.take(amount);
    try {
      return await work();
    } finally {
      release();
    }
  }

  /** A share, when it is its turn. To be given back once. */
  async take(amount: number): Promise<Release> {
    const free = this.tryTake(amount);
    if (free !== undefined) return free;
    const share = Math.min(amount, this.#total);
    await new Promise<void>((resolve) => this.#waiting.push({ amount: share, enter: resolve }));
    return this.#releaseOf(share);
  }

  /** A share if it is free now and nobody waits for it. To be given back once. */
  tryTake(amount: number): Release | undefined {
    const share = Math.min(amount, this.#total);
    if (this.#waiting.length > 0 || this.#free < share) return undefined;
    this.#free -= share;
    return this.#releaseOf(share);
  }

  #releaseOf(share: number): Release {
    return () => {
      this.#free += share;
      for (let next = this.#waiting[0]; next !== undefined && next.amount <= this.#free; next = this.#waiting[0]) {
        this.#waiting.shift();
        this.#free -= next.amount;
        next.enter();
      }
    };
  }
}
