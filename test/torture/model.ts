/** A write to a key: of the content with this seed, or undefined for a delete. */
export interface Write {
  seed: number | undefined;
  /** Before this it can't have happened: when it was sent, or when an upload that was held back was let go on. */
  began: number;
  /** By when it had happened; infinite as long as that is not known. */
  done: number;
  /** By when it had happened or never would: its process died, or it ended in an error. Infinite while it goes on. */
  ended: number;
  isAcknowledged: boolean;
}

const BEFORE = -1;

function before(seed: number | undefined): Write {
  return { seed, began: BEFORE, done: BEFORE, ended: BEFORE, isAcknowledged: true };
}

/**
 * Whether `later` hides `write` from one who asked at `began`: that one had happened, and could not begin before this
 * one was over. What a dead write has left on some disks counts, or does not, only until the next acknowledged write.
 */
function hides(later: Write, write: Write, began: number): boolean {
  return Math.min(write.done, write.ended) < later.began && later.done < began;
}

/** What became of each key, as far as one who sends operations and gets answers can know. */
export class Model {
  readonly #writes = new Map<string, Write[]>();
  #clock = 0;

  /** A moment that is later than every other before. */
  now(): number {
    return this.#clock++;
  }

  keys(): string[] {
    return [...this.#writes.keys()];
  }

  beginWrite(address: string, seed: number | undefined): Write {
    const write: Write = { seed, began: this.now(), done: Infinity, ended: Infinity, isAcknowledged: false };
    this.#of(address).push(write);
    return write;
  }

  /** An upload was held back by its source, which lets it go on now: its commit is still to come. */
  release(write: Write): void {
    write.began = this.now();
  }

  /** Its process is dead, or it ended in an error: whether it has happened or not, it never will from now on. */
  end(write: Write): void {
    write.ended = Math.min(write.ended, this.now());
  }

  acknowledge(write: Write): void {
    write.done = Math.min(write.done, this.now());
    write.isAcknowledged = true;
  }

  /** It did nothing, and never will. */
  cancel(address: string, write: Write): void {
    this.#writes.set(
      address,
      this.#of(address).filter((other) => other !== write),
    );
  }

  /**
   * Why an answer can't be right that was given by `now` to one who asked at `began`; undefined where it can.
   * @param isGlimpse whether what has been seen once must be seen from then on, acknowledged or not
   */
  whyImpossible(address: string, seed: number | undefined, began: number, isGlimpse: boolean): string | undefined {
    const ended = this.now();
    const writes = this.#of(address);
    const possible = writes.filter(
      (write) => write.began < ended && !writes.some((later) => hides(later, write, began)),
    );
    const candidates = writes.filter((write) => write.seed === seed);
    const source = candidates.find((write) => possible.includes(write));
    if (source !== undefined) {
      // Only where there is no doubt which write it was.
      if (isGlimpse && candidates.length === 1) source.done = Math.min(source.done, ended);
      return undefined;
    }
    const what = seed === undefined ? 'it was absent' : `it was seed ${seed}`;
    return `${what}, but it must be one of: ${possible.map((write) => (write.seed === undefined ? 'absent' : `seed ${write.seed}`)).join(', ')}`;
  }

  /** Nothing is going on and the store is whole: each key is what it is found to be now, and stays so. */
  settle(address: string, seed: number | undefined): void {
    this.#writes.set(address, [before(seed)]);
  }

  /** A disk is lost: what was only seen, and not acknowledged, may have been on that disk alone. */
  forgetGlimpses(): void {
    for (const write of [...this.#writes.values()].flat()) if (!write.isAcknowledged) write.done = Infinity;
  }

  #of(address: string): Write[] {
    let writes = this.#writes.get(address);
    if (writes === undefined) {
      writes = [before(undefined)];
      this.#writes.set(address, writes);
    }
    return writes;
  }
}
