import type { ChunkEntry, ObjectMeta, ParityEntry } from './meta.ts';

/** A chunk or a parity chunk: what a stripe consists of, and what lies as a file on one disk. */
export type ShardEntry = ChunkEntry | ParityEntry;

/** Consecutive chunks of an object and the parity that protects them. Without parity every chunk is a stripe. */
export interface Stripe {
  /** Number of the stripe in its object, from 0. */
  index: number;
  /** Offset of its first byte in the object. */
  offset: number;
  chunks: ChunkEntry[];
  /** By row. A row may be lacking where a meta was made so. */
  parity: ParityEntry[];
}

/** The stripes of an object, in order. */
export function stripesOf(meta: Pick<ObjectMeta, 'chunks' | 'parity'>): Stripe[] {
  const parityOf = new Map<number, ParityEntry[]>();
  for (const entry of meta.parity) {
    const first = entry.protects[0] ?? 0;
    const rows = parityOf.get(first);
    if (rows === undefined) parityOf.set(first, [entry]);
    else rows.push(entry);
  }
  const stripes: Stripe[] = [];
  let offset = 0;
  for (let order = 0; order < meta.chunks.length;) {
    const parity = (parityOf.get(order) ?? []).sort((a, b) => a.row - b.row);
    const chunks = meta.chunks.slice(order, order + (parity[0]?.protects.length ?? 1));
    stripes.push({ index: stripes.length, offset, chunks, parity });
    for (const { size } of chunks) offset += size;
    order += chunks.length;
  }
  return stripes;
}

export function isParity(shard: ShardEntry): shard is ParityEntry {
  return 'protects' in shard;
}

/** The shards of a stripe in the numbering of the erasure code: its chunks, then its parity. */
export function shardsOf(stripe: Stripe): ShardEntry[] {
  return [...stripe.chunks, ...stripe.parity];
}

/** Number of a shard in the erasure code: a chunk's place in its stripe, or the number of chunks plus the parity's row. */
export function shardNumber(stripe: Stripe, shard: ShardEntry): number {
  return isParity(shard) ? stripe.chunks.length + shard.row : shard.order - (stripe.chunks[0]?.order ?? 0);
}

/** A shard in words: `chunk 3`, `parity 0 of chunks 2-3`. */
export function nameShard(shard: ShardEntry): string {
  if (!isParity(shard)) return `chunk ${shard.order}`;
  const [first, last] = [shard.protects[0] ?? 0, shard.protects.at(-1) ?? 0];
  return `parity ${shard.row} of ${first === last ? `chunk ${first}` : `chunks ${first}-${last}`}`;
}
