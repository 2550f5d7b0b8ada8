import type { BufferPool } from '../chunks/buffer-pool.ts';
import type { DiskSet } from '../disks/disk-set.ts';
import type { Locks } from '../locks/locks.ts';
import type { BucketCache } from './bucket-cache.ts';
import type { Durability } from './store-document.ts';

/** What every operation of an open store works with. */
export interface StoreContext {
  disks: DiskSet;
  locks: Locks;
  durability: Durability;
  /** Chunks in flight at most, for one operation. */
  concurrency: number;
  pool: BufferPool;
  buckets: BucketCache;
}
