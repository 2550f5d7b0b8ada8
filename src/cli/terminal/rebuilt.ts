import type { ChunkEntry, StoreError } from '../../index.ts';
import { plural } from './format.ts';

/** Counts chunks that were computed from parity on the way, and tells why. */
export class Rebuilt {
  readonly #parent: Rebuilt | undefined;
  readonly #disks = new Set<string>();
  #count = 0;
  #slow = 0;

  /** @param parent counts them too */
  constructor(parent?: Rebuilt) {
    this.#parent = parent;
  }

  get count(): number {
    return this.#count;
  }

  readonly add = (chunk: ChunkEntry, reason: StoreError): void => {
    this.#count++;
    if (reason.details.fault === 'slow') this.#slow++;
    this.#disks.add(chunk.disk);
    this.#parent?.add(chunk, reason);
  };

  /** One line for people; undefined where there is nothing to say. */
  describe(): string | undefined {
    if (this.#count === 0) return undefined;
    const what = plural(this.#count, 'chunk');
    const from = [...this.#disks].sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).join(', ');
    const verb = this.#count === 1 ? 'was' : 'were';
    const rebuilt = `${verb} rebuilt from parity on the way`;
    if (this.#slow === this.#count)
      return `${what} ${rebuilt}, because ${from} ${this.#disks.size === 1 ? 'is' : 'are'} slow to answer`;
    const slow = this.#slow === 0 ? '' : ` (${this.#slow} of them merely slow to come)`;
    return `${what} of ${from} ${rebuilt}${slow}; "store heal" mends what is wrong`;
  }
}
