import type { Copy } from '../../metadata/copies.ts';

/** Keys of a slice at most. */
const MOST_KEYS = 256;

/** Keys of the first slice: by then it is not known how large the metas are. */
const FIRST_KEYS = 16;

/** A slice has at most so many times the keys of the one before. */
const GROWTH = 4;

/** Bytes of metas, of all copies, that a slice is to have at most. */
const MOST_BYTES = 2 * 1024 * 1024;

/**
 * How many metas are read together: so many that a call for each disk counts for little, and, because a meta is as large as
 * its object has chunks, no more than those before let expect to fit into a bounded memory.
 */
export class SliceSize {
  #keys: number;

  constructor(first = FIRST_KEYS) {
    this.#keys = first;
  }

  get keys(): number {
    return this.#keys;
  }

  /** @param slice the copies of each of its metas */
  learn(slice: readonly (readonly Copy<unknown>[])[]): void {
    let bytes = 0;
    for (const copies of slice) for (const copy of copies) if ('bytes' in copy) bytes += copy.bytes?.length ?? 0;
    const fitting = bytes === 0 ? MOST_KEYS : Math.floor((MOST_BYTES * slice.length) / bytes);
    this.#keys = Math.max(1, Math.min(fitting, GROWTH * this.#keys, MOST_KEYS));
  }
}
