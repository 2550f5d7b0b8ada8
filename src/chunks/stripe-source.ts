import { throwIfAborted } from '../errors.ts';
import { CHUNK_SIZE } from '../metadata/meta.ts';
import { sha256 } from './sha256.ts';
import type { ChunkSource } from './source.ts';

/** A stripe's chunks as they were read from the source; their checksums may still be on their way. */
export interface ReadStripe {
  index: number;
  chunks: { order: number; bytes: Uint8Array; sha256: Promise<string> }[];
}

/** Cuts a source into stripes: read one chunk after the other, hashed side by side. */
export class StripeSource {
  readonly #source: ChunkSource;
  readonly #signal: AbortSignal | undefined;
  #reading: Promise<unknown> = Promise.resolve();
  #isEnded = false;
  #order = 0;
  #index = 0;

  constructor(source: ChunkSource, signal: AbortSignal | undefined) {
    this.#source = source;
    this.#signal = signal;
  }

  /**
   * The next stripe, a chunk for each buffer and fewer only at the end, none after it. Others may ask meanwhile, and get
   * the stripes that follow. @throws the source's errors, ABORTED
   */
  next(buffers: readonly Buffer[]): Promise<ReadStripe> {
    const stripe = this.#reading.then(() => this.#read(buffers));
    this.#reading = stripe.catch(() => {
      this.#isEnded = true;
    });
    return stripe;
  }

  async #read(buffers: readonly Buffer[]): Promise<ReadStripe> {
    const stripe: ReadStripe = { index: this.#index++, chunks: [] };
    for (const buffer of buffers) {
      if (this.#isEnded) break;
      throwIfAborted(this.#signal);
      const bytes = await this.#source.next(buffer.subarray(0, CHUNK_SIZE));
      this.#isEnded = bytes.length === 0;
      if (!this.#isEnded) stripe.chunks.push({ order: this.#order++, bytes, sha256: sha256(bytes) });
    }
    return stripe;
  }
}
