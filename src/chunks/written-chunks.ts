import type { ChunkEntry, ParityEntry } from '../metadata/meta.ts';
import { shardsOf, stripesOf, type ShardEntry } from '../metadata/stripes.ts';

/** What the meta says about the chunks that were written. */
export interface WrittenChunks {
  chunks: ChunkEntry[];
  parity: ParityEntry[];
  /** Those of them that are on no disk. They are entered where they belong, for `heal` to make them there. */
  unwritten: ShardEntry[];
}

/**
 * How many shards of a stripe must be written: all of its chunks must be readable, and where there is as much parity as
 * there are chunks, one loss more must be survived.
 */
export function leastShards(chunks: number, parity: number): number {
  return chunks <= parity ? chunks + 1 : chunks;
}

/**
 * Counts shards as unwritten that turn out to be lost. Returns the lost ones of the first stripe of which too little
 * is left, and undefined where enough is left of every stripe.
 */
export function loseShards(written: WrittenChunks, isLost: (shard: ShardEntry) => boolean): ShardEntry[] | undefined {
  const known = new Set(written.unwritten);
  for (const stripe of stripesOf(written)) {
    const before = shardsOf(stripe).filter((shard) => !known.has(shard));
    const lost = before.filter(isLost);
    written.unwritten.push(...lost);
    if (lost.length > 0 && before.length - lost.length < leastShards(stripe.chunks.length, stripe.parity.length))
      return lost;
  }
  return undefined;
}
