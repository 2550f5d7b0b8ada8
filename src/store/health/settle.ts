import { dirname } from 'node:path/posix';
import { forEachAtOnce } from '../../concurrency/workers.ts';
import type { DiskView } from '../../disks/disk-set.ts';
import { lockName } from '../../locks/locks.ts';
import type { BucketDocument } from '../../metadata/bucket-document.ts';
import { bucketFolder, bucketKind, metaKind } from '../../metadata/catalog.ts';
import { commonDocument, newestCopy, readCopies, type Copy } from '../../metadata/copies.ts';
import type { VersionedDocument } from '../../metadata/document.ts';
import { horizonKind, type Horizon } from '../../metadata/horizon.ts';
import { isTombstone, type Meta, type ObjectMeta } from '../../metadata/meta.ts';
import { PublishError } from '../../metadata/publish.ts';
import type { StoreContext } from '../protocol/context.ts';
import { Operation, type Locked } from '../protocol/operation.ts';
import type { WalkedMeta } from '../protocol/walk.ts';
import { decide, isObject, type Decision, type Settled, type SettleOptions, type Settling } from './decision.ts';
import { readOpenCopies } from './obstacles.ts';
import { settleTogether } from './settle-together.ts';

/** Keys that are settled side by side, where each is settled by itself. */
const AT_ONCE = 8;

/**
 * Brings documents into step on the disks of a view. Each is looked at first, and where there is something to do, once more
 * with the locks of a commit: keys together where that goes well, and otherwise each in an operation of its own, side by side.
 */
export class Settler {
  readonly #context: StoreContext;
  readonly #view: DiskView;
  readonly #options: SettleOptions;

  constructor(context: StoreContext, view: DiskView, options: SettleOptions) {
    this.#context = context;
    this.#view = view;
    this.#options = options;
  }

  /**
   * Ends what a commit that died began: all disks that are there get the newest of a key's metas, because a reader may
   * have seen it already. A tombstone goes when all n disks have it, and with it what it was there to outlive.
   * @param walked what a walk in the same view has just read, which makes the first look, if all of it could be read
   */
  async key(bucket: string, key: string, walked?: readonly Copy<Meta>[]): Promise<Settled> {
    const kind: Settling<Meta> = { ...metaKind(bucket, key), isDeleted: isTombstone };
    const first = await this.#look(kind, walked);
    if (first.outcome === 'agreed') return { ...first, live: first.shown.filter(isObject) };
    if (this.#options.dryRun)
      return { ...first, live: first.outcome === 'removed' ? [] : first.newest.filter(isObject) };
    return this.#alone(async (operation) => {
      const view = await operation.lock([lockName.bucket(bucket), 'shared'], [lockName.key(bucket, key), 'exclusive']);
      const copies = await readCopies(view.online, kind);
      await operation.keepVersions(copies);
      const again = await this.#settle(operation, { kind, view, copies });
      return { ...again, live: again.shown.filter(isObject) };
    });
  }

  /**
   * The same for keys of one bucket that a walk in the same view has just read.
   * @param take gets each of them, several side by side, with what settles it, or tells what became of it
   */
  async keys(
    walked: readonly WalkedMeta[],
    take: (walked: WalkedMeta, settle: () => Promise<Settled>) => Promise<unknown>,
  ): Promise<void> {
    const [context, view, options] = [this.#context, this.#view, this.#options];
    const settled = await settleTogether({ context, view, options, walked });
    await forEachAtOnce(walked, AT_ONCE, async (one) => {
      await take(one, async () => settled.get(one) ?? this.key(one.bucket, one.key, one.copies));
    });
  }

  /** The same for a bucket's document; an empty folder that is no bucket goes too. */
  async bucket(bucket: string): Promise<Settled> {
    const isDeleted = (document: BucketDocument): boolean => document.deleted === true;
    const kind: Settling<BucketDocument> = { ...bucketKind(bucket), isDeleted };
    const first = await this.#look(kind);
    const isBucket = first.shown.length > 0 && first.outcome !== 'removed';
    if (this.#options.dryRun || (isBucket && first.outcome === 'agreed')) return { ...first, live: [] };
    return this.#alone(async (operation) => {
      const view = await operation.lock([lockName.bucket(bucket), 'exclusive']);
      const disks = view.online.filter((disk) => !first.blocked.some((block) => block.disk === disk));
      // Where that fails, so does what is to be put into it, which then says so.
      if (isBucket) await operation.makeBucketFolder(disks, bucket);
      const again = await this.#settle(operation, { kind, view, copies: await readCopies(view.online, kind) });
      if (!isBucket && again.problem === undefined)
        await Promise.all(disks.map((disk) => disk.removeFolder(bucketFolder(bucket))));
      return { ...again, live: [] };
    });
  }

  /** The same for the store's horizon. A disk that is to count in reads must have it, because the quorums of before were of other disks. */
  async horizon(): Promise<Settled> {
    const kind: Settling<Horizon> = { ...horizonKind, isDeleted: () => false };
    const first = await this.#look(kind);
    if (this.#options.dryRun || first.outcome === 'agreed') return { ...first, live: [] };
    return this.#alone(async (operation) => {
      const view = await operation.lock([lockName.clock(), 'exclusive']);
      const copies = await readCopies(view.online, kind);
      return { ...(await this.#settle(operation, { kind, view, copies })), live: [] };
    });
  }

  /** Says what has to be done about a document's copies, before anything is locked. */
  async #look<T extends VersionedDocument>(kind: Settling<T>, walked: readonly Copy<T>[] = []): Promise<Decision<T>> {
    const isRead = walked.length > 0 && walked.every(({ state }) => state !== 'bad');
    const copies = isRead ? walked : await readOpenCopies(this.#view.online, kind, this.#options.obstacles);
    return decide(this.#context, this.#options, { kind, view: this.#view, copies });
  }

  #alone(work: (operation: Operation) => Promise<Settled>): Promise<Settled> {
    return Operation.run(this.#context, { view: this.#view, signal: this.#options.signal }, work);
  }

  async #settle<T extends VersionedDocument>(
    operation: Operation,
    locked: Locked<T> & { kind: Settling<T> },
  ): Promise<Decision<T>> {
    const { kind, copies } = locked;
    const { path, within } = kind;
    const decision = await decide(this.#context, this.#options, locked);
    const newest = newestCopy(copies);
    if (decision.outcome === 'agreed') return decision;
    const { durable } = operation;
    const remove = ({ disk }: Copy<T>): Promise<void> => disk.remove(path, { within, durable });
    for (const disk of decision.replaced) await this.#options.obstacles?.clear(disk, path);
    if (newest === undefined) {
      // Damaged copies of something that no other disk knows of: it was never acknowledged, or is deleted.
      for (const copy of decision.behind) await remove(copy);
      return decision;
    }
    if (decision.outcome === 'removed') {
      // Before the first tombstone goes, no disk may get an older copy back when the power goes.
      for (const copy of durable ? copies : []) {
        if (copy.state === 'valid') await copy.disk.syncFolder(dirname(path));
        else if (copy.state === 'absent') await remove(copy);
      }
      // Older copies first, and what can't be read and may be one: as long as one is left, the tombstones must outlive it.
      const stale = copies.filter(
        (copy) => copy.state === 'bad' || (copy.state === 'valid' && !kind.isDeleted(copy.document)),
      );
      for (const copy of stale) await remove(copy);
      // A disk that has just gone may hold an older copy, and look as if it held none.
      if (!(await this.#context.disks.areAllOnline())) return { ...decision, outcome: 'agreed' };
      for (const copy of copies) if (copy.state !== 'other') await remove(copy);
      return { ...decision, shown: [] };
    }
    const { behind } = decision;
    const failures = await operation.bring(kind, behind, newest.bytes);
    if (failures.length > 0) throw new PublishError({ path, quorum: behind.length }, failures, true);
    return { ...decision, shown: [newest.document] };
  }
}

/** What a walk has read, apart: the objects of which all disks have one and the same meta, and what there may be something to do about. */
export function sortOut(slice: readonly WalkedMeta[]): { agreed: ObjectMeta[]; rest: WalkedMeta[] } {
  const agreed: ObjectMeta[] = [];
  const rest: WalkedMeta[] = [];
  for (const walked of slice) {
    const meta = commonDocument(walked.copies);
    if (meta !== undefined && isObject(meta)) agreed.push(meta);
    else rest.push(walked);
  }
  return { agreed, rest };
}
