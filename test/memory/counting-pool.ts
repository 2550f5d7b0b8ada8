import { CHUNK_SIZE } from '../../src/metadata/meta.ts';
import { BufferPool } from '../../src/memory/buffer-pool.ts';

/** A pool that counts what it has lent, and fills with rubbish what comes back: nobody may still use it. */
export class CountingPool extends BufferPool {
  most = 0;
  readonly #lent = new Set<Buffer>();

  constructor() {
    super(CHUNK_SIZE);
  }

  get lent(): number {
    return this.#lent.size;
  }

  override take(size: number): Buffer {
    const buffer = super.take(size);
    this.#lent.add(buffer);
    this.most = Math.max(this.most, this.#lent.size);
    return buffer;
  }

  override give(buffer: Buffer): void {
    if (!this.#lent.delete(buffer)) throw new Error('a buffer was given back that nobody has');
    buffer.fill(0xee, 0, Math.min(buffer.length, 64));
    super.give(buffer);
  }
}
