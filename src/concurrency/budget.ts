interface Waiting {
  amount: number;
  enter: () => void;
}

/** So many buffers may be in use at once; who needs more than are free waits for its turn, first come, first served. */
export class Budget {
  readonly #total: number;
  #free: number;
  readonly #waiting: Waiting[] = [];

  /** @param total Buffers. One who needs more gets all. */
  constructor(total: number) {
    this.#total = total;
    this.#free = total;
  }

  async spend<T>(amount: number, work: () => Promise<T>): Promise<T> {
    const share = Math.min(amount, this.#total);
    if (this.#waiting.length > 0 || this.#free < share) {
      await new Promise<void>((resolve) => this.#waiting.push({ amount: share, enter: resolve }));
    } else {
      this.#free -= share;
    }
    try {
      return await work();
    } finally {
      this.#free += share;
      this.#admit();
    }
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next !== undefined && next.amount <= this.#free; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#free -= next.amount;
      next.enter();
    }
  }
}
