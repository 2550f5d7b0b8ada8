import { combine } from '../erasure/combine.ts';
import { recoveryMatrix } from '../erasure/matrix.ts';
import { shardNumber, type ShardEntry, type Stripe } from '../metadata/stripes.ts';

export interface ShardBytes {
  shard: ShardEntry;
  bytes: Buffer;
}

/** Fills in the bytes of wanted shards of a stripe, computed from as many others as it has chunks. */
export function computeShards(stripe: Stripe, sources: readonly ShardBytes[], wanted: readonly ShardBytes[]): void {
  const numbersOf = (shards: readonly ShardBytes[]): number[] => shards.map(({ shard }) => shardNumber(stripe, shard));
  const bytesOf = (shards: readonly ShardBytes[]): Buffer[] => shards.map(({ bytes }) => bytes);
  const matrix = recoveryMatrix(stripe.chunks.length, numbersOf(sources), numbersOf(wanted));
  combine(matrix, bytesOf(sources), bytesOf(wanted));
}
