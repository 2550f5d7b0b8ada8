import type { DiskView } from '../disks/disk-set.ts';
import { isDiskFault, type StoreError } from '../errors.ts';
import type { ChunkEntry, ObjectMeta } from '../metadata/meta.ts';
import { shardsOf, type ShardEntry, type Stripe } from '../metadata/stripes.ts';
import { lossError } from './loss.ts';
import { ShardReader } from './shard-reader.ts';
import { StripeRun, type StripeRunOptions } from './stripe-run.ts';

/**
 * Reads chunks of one object version, stripe by stripe, and hands out only bytes that match their SHA-256. Where a chunk
 * is lost, damaged or slow to come, it is computed from the rest of its stripe.
 */
export class StripeReader {
  readonly #meta: ObjectMeta;
  readonly #shards: ShardReader;
  readonly #options: StripeRunOptions;

  constructor(meta: ObjectMeta, view: DiskView, options: StripeRunOptions) {
    this.#meta = meta;
    this.#shards = new ShardReader(meta, view);
    this.#options = options;
  }

  /** Tells before the first byte is read whether the disks that are there have enough of the stripe. @throws CHUNK_UNAVAILABLE */
  checkDisks(stripe: Stripe, wanted: readonly ChunkEntry[]): void {
    const lost = wanted.filter((chunk) => !this.#shards.isOnline(chunk));
    const shards = shardsOf(stripe);
    if (lost.length === 0 || shards.filter((shard) => this.#shards.isOnline(shard)).length >= stripe.chunks.length)
      return;
    const reasons = shards.filter((shard) => !this.#shards.isOnline(shard)).map((shard) => this.#offlineReason(shard));
    throw lossError(this.#meta, stripe, lost, reasons);
  }

  /** Bytes of memory for reading these chunks at most: with parity, to read the whole stripe and compute what is lost. */
  cost(stripe: Stripe, wanted: readonly ChunkEntry[]): number {
    const most = stripe.parity.length === 0 ? wanted : [...shardsOf(stripe), ...wanted.slice(0, stripe.parity.length)];
    return most.reduce((sum, { size }) => sum + this.#options.buffers.cost(size + 1), 0);
  }

  /**
   * Runs `use` on the bytes of the wanted chunks of a stripe, in their order. The bytes are only there until it is done.
   * @throws CHUNK_UNAVAILABLE, CHUNK_DAMAGED
   */
  async read<T>(stripe: Stripe, wanted: readonly ChunkEntry[], use: (chunks: Buffer[]) => Promise<T> | T): Promise<T> {
    const run = new StripeRun(this.#meta, stripe, wanted, this.#shards, this.#options);
    try {
      return await use(await run.chunks());
    } finally {
      run.end();
    }
  }

  #offlineReason(shard: ShardEntry): StoreError {
    try {
      this.#shards.diskOf(shard);
    } catch (error) {
      if (isDiskFault(error)) return error;
      throw error;
    }
    throw new TypeError(`disk "${shard.disk}" is online`);
  }
}
