import { BufferPool } from '../../memory/buffer-pool.ts';
import { FanOutFolders } from '../../chunks/fan-out-folders.ts';
import { Budget } from '../../concurrency/budget.ts';
import type { DiskSet, DiskView } from '../../disks/disk-set.ts';
import type { Locks } from '../../locks/locks.ts';
import { CHUNK_SIZE } from '../../metadata/meta.ts';
import { BucketCache } from './bucket-cache.ts';
import type { Membership } from '../members/membership.ts';
import type { Durability } from '../members/store-document.ts';

/** So many operations at once may have all the chunks in flight that one may have. */
const FULL_SPEED = 4;

/** What every operation of an open store works with. */
export class StoreContext {
  readonly members: Membership;
  readonly locks: Locks;
  /** Chunks in flight at most, for one operation. */
  readonly concurrency: number;
  readonly pool = new BufferPool(CHUNK_SIZE);
  /**
   * Bytes of memory for the chunks that all operations together are at work on. A share is taken for one stripe, or one
   * shard, and all at once; who has it waits for disks, threads and files of this machine, but for no other share, no lock,
   * no source and no consumer. So it always comes back, and everybody has a turn.
   */
  readonly budget: Budget;
  /** The same for what streams have read before anybody has asked for it. It may lie there for ever, so nobody waits for it. */
  readonly ahead: Budget;
  readonly buckets = new BucketCache();
  readonly folders = new FanOutFolders();

  constructor(members: Membership, locks: Locks, concurrency: number) {
    this.members = members;
    this.locks = locks;
    this.concurrency = concurrency;
    const bytes = FULL_SPEED * concurrency * this.pool.cost(CHUNK_SIZE);
    this.budget = new Budget(bytes);
    this.ahead = new Budget(bytes);
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
