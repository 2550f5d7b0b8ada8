import { isDiskFault, type StoreError } from '../errors.ts';
import type { ShardEntry, Stripe } from '../metadata/stripes.ts';
import type { Buffers } from '../memory/buffer-pool.ts';
import { computeShards } from './compute-shards.ts';
import type { ShardReader } from './shard-reader.ts';

/** Looks at shards of one stripe, keeps what is right of them in memory, and computes what is not. To be closed. */
export class StripeInspector {
  /** What is wrong with the shards that have been looked at. */
  readonly faults = new Map<ShardEntry, StoreError>();
  readonly #stripe: Stripe;
  readonly #reader: ShardReader;
  readonly #buffers: Buffers;
  readonly #taken: Buffer[] = [];
  readonly #whole = new Map<ShardEntry, Buffer>();

  constructor(stripe: Stripe, reader: ShardReader, buffers: Buffers) {
    this.#stripe = stripe;
    this.#reader = reader;
    this.#buffers = buffers;
  }

  /** Reads those of the shards that have not been looked at, side by side, and checks them. */
  async look(shards: readonly ShardEntry[]): Promise<void> {
    const looks = shards
      .filter((shard) => !this.#whole.has(shard) && !this.faults.has(shard))
      .map((shard) => this.#look(shard));
    await Promise.allSettled(looks);
    await Promise.all(looks);
  }

  /** Bytes of a shard that has been found whole or has been computed. */
  bytesOf(shard: ShardEntry): Buffer {
    const bytes = this.#whole.get(shard);
    if (bytes === undefined) throw new TypeError(`${shard.file} has not been read`);
    return bytes;
  }

  /** Whether so many shards are whole that all others can be computed. */
  get isRecoverable(): boolean {
    return this.#whole.size >= this.#stripe.chunks.length;
  }

  /** Computes shards from those that are whole. @throws CHUNK_DAMAGED where what comes out is not what it should be */
  async compute(shards: readonly ShardEntry[]): Promise<void> {
    const whole = [...this.#whole].map(([shard, bytes]) => ({ shard, bytes }));
    const outputs = shards.map((shard) => ({ shard, bytes: this.#take(shard.size).subarray(0, shard.size) }));
    computeShards(this.#stripe, whole.slice(0, this.#stripe.chunks.length), outputs);
    const checks = outputs.map(async ({ shard, bytes }) => {
      await this.#reader.check(shard, bytes);
      this.#whole.set(shard, bytes);
    });
    await Promise.allSettled(checks);
    await Promise.all(checks);
  }

  close(): void {
    this.#whole.clear();
    for (const buffer of this.#taken.splice(0)) this.#buffers.give(buffer);
  }

  /** What is not whole gives its buffer back: so never are there more than the stripe has shards. */
  async #look(shard: ShardEntry): Promise<void> {
    const buffer = this.#buffers.take(shard.size + 1);
    try {
      const bytes = await this.#reader.read(shard, { buffer, direct: true });
      await this.#reader.check(shard, bytes);
      this.#whole.set(shard, bytes);
      this.#taken.push(buffer);
    } catch (error) {
      this.#buffers.give(buffer);
      if (!isDiskFault(error)) throw error;
      this.faults.set(shard, error);
    }
  }

  #take(size: number): Buffer {
    const buffer = this.#buffers.take(size);
    this.#taken.push(buffer);
    return buffer;
  }
}
