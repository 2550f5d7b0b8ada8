import { dirname } from 'node:path/posix';
import type { Disk } from '../../disks/disk.ts';
import type { DiskView } from '../../disks/disk-set.ts';
import { lockName } from '../../locks/locks.ts';
import type { BucketDocument } from '../../metadata/bucket-document.ts';
import { bucketFolder, bucketKind, metaKind } from '../../metadata/catalog.ts';
import { commonDocument, newestCopy, readCopies, type Copy, type DocumentKind } from '../../metadata/copies.ts';
import { compareAge, type VersionedDocument } from '../../metadata/document.ts';
import { horizonKind, type Horizon } from '../../metadata/horizon.ts';
import { isTombstone, type Meta, type ObjectMeta } from '../../metadata/meta.ts';
import { PublishError } from '../../metadata/publish.ts';
import type { StoreContext } from '../protocol/context.ts';
import { Operation, type Locked } from '../protocol/operation.ts';
import type { WalkedMeta } from '../protocol/walk.ts';
import { findBlocks, readOpenCopies, type Block, type Obstacles } from './obstacles.ts';

/** What became of one key's or bucket's copies. */
export interface Settled {
  /** `agreed`: nothing to do; `settled`: brought to the newest; `removed`: a tombstone that all disks had. */
  outcome: 'agreed' | 'settled' | 'removed';
  /** Every object version that some disk still shows. */
  live: ObjectMeta[];
  /** Why it can't be told what the copies refer to. */
  problem?: string;
  /** Disks on which something stands in the way of the document, and was left there. */
  blocked: Block[];
  /** Whether so many disks answer that what the others should have is known. */
  isVouchedFor: boolean;
}

export interface SettleOptions {
  dryRun: boolean;
  /** Replace damaged copies as well, where enough others vouch for what they should be. */
  mend: boolean;
  /** Let any copy that can be read vouch, even where others are needed to be sure that it is the newest. */
  allowStale?: boolean | undefined;
  /**
   * Opens copies that were closed to us, and takes what is no file out of the place of a copy of a joining disk; if not given, it
   * stays. Any other disk would say meanwhile that there is no such document, and be believed.
   */
  obstacles?: Obstacles | undefined;
  signal?: AbortSignal | undefined;
}

/** A kind of document, and what decides whether one says "deleted". */
interface Settling<T> extends DocumentKind<T> {
  isDeleted: (document: T) => boolean;
}

/** What has to be done about a document's copies. */
interface Decision<T> extends Omit<Settled, 'live'> {
  /** The documents that disks show. */
  shown: T[];
  /** The newest of them, or none. */
  newest: T[];
  behind: Copy<T>[];
  /** The disks among those of `behind` on which something stands in the place of the document. */
  replaced: Disk[];
}

/**
 * Brings documents into step on the disks of a view. Each is looked at first, and where there is something to do, once more
 * with the locks of a commit, in an operation of its own: many are settled side by side.
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
    return this.#decide({ kind, view: this.#view, copies });
  }

  #alone(work: (operation: Operation) => Promise<Settled>): Promise<Settled> {
    return Operation.run(this.#context, { view: this.#view, signal: this.#options.signal }, work);
  }

  async #decide<T extends VersionedDocument>({
    kind: { path, isDeleted },
    view,
    copies,
  }: Locked<T> & { kind: Settling<T> }): Promise<Decision<T>> {
    const { disks } = this.#context;
    const { mend, allowStale, obstacles } = this.#options;
    const shown = copies.flatMap((copy) => (copy.state === 'valid' ? [copy.document] : []));
    const bad = copies.filter((copy) => copy.state === 'bad');
    const answers = copies.filter((copy) => copy.state !== 'bad' && disks.isVoter(copy.disk)).length;
    // What a damaged copy said is unknown. Where R others answer, one of them knows of all that was ever acknowledged; a
    // copy that a later program wrote stays as it is.
    const first = bad.find(({ error }) => error.code === 'UNKNOWN_FORMAT') ?? bad[0];
    const newest = newestCopy(copies)?.document;
    const isVouchedFor = answers >= disks.readQuorum || (allowStale === true && newest !== undefined);
    // What stands in the place of a folder concerns more than this document: whoever asked decides about it.
    const blocks = await findBlocks(copies, path);
    const canClear = ({ disk, isAbove }: Block): boolean => obstacles !== undefined && !isAbove && !disks.isVoter(disk);
    const blocked = blocks.filter((block) => !canClear(block));
    const replaced = blocks.filter(canClear).map(({ disk }) => disk);
    const common = { shown, replaced, blocked, isVouchedFor };
    if (first !== undefined && !(mend && isVouchedFor && first.error.code !== 'UNKNOWN_FORMAT'))
      return { ...common, outcome: 'agreed', newest: shown, behind: [], problem: first.error.message };
    const mendable = bad.filter((copy) => !blocked.some(({ disk }) => disk === copy.disk));
    const stale = copies.filter(
      (copy) =>
        newest !== undefined &&
        (copy.state === 'absent' || (copy.state === 'valid' && compareAge(copy.document, newest) !== 0)),
    );
    const behind = [...stale, ...mendable];
    // What is behind an obstacle may come back, as a disk does that is away.
    const isDone = newest !== undefined && isDeleted(newest) && view.offline.length === 0 && blocked.length === 0;
    const outcome = isDone ? 'removed' : behind.length === 0 ? 'agreed' : 'settled';
    return { ...common, outcome, newest: newest === undefined ? [] : [newest], behind };
  }

  async #settle<T extends VersionedDocument>(
    operation: Operation,
    locked: Locked<T> & { kind: Settling<T> },
  ): Promise<Decision<T>> {
    const { kind, copies } = locked;
    const { path, within } = kind;
    const decision = await this.#decide(locked);
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

function isObject(meta: Meta): meta is ObjectMeta {
  return !isTombstone(meta);
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
