import { BufferPool } from '../../memory/buffer-pool.ts';
import type { DiskSet, DiskView } from '../../disks/disk-set.ts';
import type { Locks } from '../../locks/locks.ts';
import { CHUNK_SIZE } from '../../metadata/meta.ts';
import { BucketCache } from './bucket-cache.ts';
import type { Membership } from '../members/membership.ts';
import type { Durability } from '../members/store-document.ts';

/** What every operation of an open store works with. */
export class StoreContext {
  readonly members: Membership;
  readonly locks: Locks;
  /** Chunks in flight at most, for one operation. */
  readonly concurrency: number;
  readonly pool = new BufferPool(CHUNK_SIZE);
  readonly buckets = new BucketCache();

  constructor(members: Membership, locks: Locks, concurrency: number) {
    this.members = members;
    this.locks = locks;
    this.concurrency = concurrency;
  }

  get disks(): DiskSet {
    return this.members.disks;
  }

  get durability(): Durability {
    return this.members.document.durability;
  }

  /** The disks for a read, as the store has them now. @throws TOO_FEW_DISKS_TO_READ */
  async lookForReading(allowStale = false): Promise<DiskView> {
    await this.members.refresh();
    return this.disks.lookForReading(allowStale);
  }

  /** The disks for a write, as the store has them now. @throws TOO_FEW_DISKS_TO_WRITE */
  async lookForWriting(): Promise<DiskView> {
    await this.members.refresh();
    return this.disks.lookForWriting();
  }

  /**
   * Looks once more after a read that found nothing: a disk that has gone meanwhile reads as if it were empty, and one that
   * has become a joining disk may. @throws TOO_FEW_DISKS_TO_READ
   */
  async confirm(view: DiskView, allowStale = false): Promise<void> {
    await this.members.refresh();
    await this.disks.confirm(view, allowStale);
  }
}
