import { MAX_SHARDS } from '../erasure/shape.ts';
import { StoreError } from '../errors.ts';

/** `k+m`: a stripe has up to k chunks, and m parity chunks that are computed from them. */
export interface Redundancy {
  /** k, at least 1. */
  data: number;
  /** m, at least 0: so many shards of a stripe can be lost. */
  parity: number;
}

/** What a store has that nobody told otherwise: plain round-robin. */
export const DEFAULT_REDUNDANCY = '1+0';

const REDUNDANCY = /^([1-9]\d?)\+(0|[1-9]\d?)$/;

/** Reads `k+m`. @throws BAD_REDUNDANCY */
export function parseRedundancy(text: string): Redundancy {
  const [, data, parity] = REDUNDANCY.exec(text) ?? [];
  const redundancy = { data: Number(data), parity: Number(parity) };
  if (data !== undefined && redundancy.data + redundancy.parity <= MAX_SHARDS) return redundancy;
  const rule = `it is k+m, with k from 1, m from 0, and k + m at most ${MAX_SHARDS}`;
  throw new StoreError('BAD_REDUNDANCY', `bad redundancy ${JSON.stringify(text)}: ${rule}`, { found: text });
}

export function isRedundancy(text: string): boolean {
  try {
    parseRedundancy(text);
    return true;
  } catch {
    return false;
  }
}

/** Every shard of a stripe needs a disk of its own. @throws BAD_REDUNDANCY where there are fewer disks */
export function checkRedundancy(text: string, disks: number): Redundancy {
  const redundancy = parseRedundancy(text);
  const needed = redundancy.data + redundancy.parity;
  if (needed <= disks) return redundancy;
  const words = `redundancy ${text} needs ${needed} disks; there are ${disks}`;
  throw new StoreError('BAD_REDUNDANCY', words, { expected: needed, found: disks });
}
