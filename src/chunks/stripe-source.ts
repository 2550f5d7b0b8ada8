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
   * The next stripe, of `width` chunks and fewer only at the end, none after it. Others may ask meanwhile, and get the
   * stripes that follow, but none is read before `admit` has let the one before it in: so a source, which may be slow,
   * holds the buffers of one stripe, and nothing that others wait for. @throws the source's errors, ABORTED
   */
  next(width: number, take: () => Buffer, admit: (chunks: number) => Promise<void>): Promise<ReadStripe> {
    const stripe = this.#reading.then(async () => {
      const read = await this.#read(width, take);
      if (read.chunks.length > 0) await admit(read.chunks.length);
      return read;
    });
    this.#reading = stripe.catch(() => {
      this.#isEnded = true;
    });
    return stripe;
  }

  async #read(width: number, take: () => Buffer): Promise<ReadStripe> {
    const stripe: ReadStripe = { index: this.#index++, chunks: [] };
    while (!this.#isEnded && stripe.chunks.length < width) {
      throwIfAborted(this.#signal);
      const bytes = await this.#source.next(take().subarray(0, CHUNK_SIZE));
      this.#isEnded = bytes.length === 0;
      if (!this.#isEnded) stripe.chunks.push({ order: this.#order++, bytes, sha256: sha256(bytes) });
    }
    return stripe;
  }
}
