import { alignedBuffers, BLOCK_SIZE } from './aligned.ts';
import { untilFree } from './lent-memory.ts';

/**
 * Buffers are made so many at a time, in one memory: those of a stripe then mostly lie together, and parity is computed
 * in place. What is not touched costs no more than its addresses.
 */
const SLAB = 64;

/** Smaller buffers come from Node's own allocator: they cost less than a pooled one would hold back. */
const SMALL = 64 * 1024;

/** Where the buffers of chunks come from, and where they go when they are no longer needed. */
export interface Buffers {
  /** A buffer of at least `size` bytes, of any content. */
  take(size: number): Buffer;
  /** Bytes that such a buffer keeps from others. */
  cost(size: number): number;
  /** Gives a buffer back. Nobody may use it afterwards. */
  give(buffer: Buffer): void;
}

/** Buffers of their own for bytes that go to somebody who keeps them. */
export const freshBuffers: Buffers = {
  take: (size) => Buffer.allocUnsafeSlow(size),
  cost: (size) => size,
  give: () => undefined,
};

/**
 * Chunk-sized buffers that are used again, fit for direct I/O. Fresh memory costs a page fault for every 4 KiB that is
 * touched, which would be a good part of the time that a chunk takes. The callers bound their number, by a budget.
 */
export class BufferPool implements Buffers {
  /** More than a chunk, so that one read tells a chunk that is too long from one that is right. */
  readonly #size: number;
  readonly #free: Buffer[] = [];

  /** @param chunkSize bytes, a multiple of `BLOCK_SIZE` */
  constructor(chunkSize: number) {
    this.#size = chunkSize + BLOCK_SIZE;
  }

  take(size: number): Buffer {
    if (!this.#isPooled(size)) return Buffer.allocUnsafe(size);
    if (this.#free.length === 0) this.#free.push(...alignedBuffers(SLAB, this.#size));
    return this.#free.pop() ?? Buffer.allocUnsafe(size);
  }

  cost(size: number): number {
    return this.#isPooled(size) ? this.#size : size;
  }

  /** Whether a buffer of `size` bytes is one for direct I/O. */
  isForDirect(size: number): boolean {
    return this.#isPooled(size);
  }

  give(buffer: Buffer): void {
    if (buffer.length !== this.#size) return;
    // A call that nobody waits for any more may still read or write it.
    const free = untilFree(buffer);
    if (free === undefined) this.#free.push(buffer);
    else void free.then(() => this.#free.push(buffer));
  }

  #isPooled(size: number): boolean {
    return size > SMALL && size <= this.#size;
  }
}
