import { dirname } from 'node:path/posix';
import { isDiskFault } from '../../errors.ts';
import { lockName, type LockMode } from '../../locks/locks.ts';
import type { Disk } from '../../disks/disk.ts';
import type { BucketDocument } from '../../metadata/bucket-document.ts';
import { bucketFolder, bucketKind, metaKind } from '../../metadata/catalog.ts';
import { newestCopy, readCopies, type Copy, type DocumentKind } from '../../metadata/copies.ts';
import { compareAge, type VersionedDocument } from '../../metadata/document.ts';
import { HORIZON_FOLDER, horizonKind, type Horizon } from '../../metadata/horizon.ts';
import { directoryId, isTombstone, type Meta, type ObjectMeta } from '../../metadata/meta.ts';
import { publish } from '../../metadata/publish.ts';
import { mintId } from '../../metadata/version.ts';
import { makeBucketFolder, objectVersions, quorumError, throwAsDiskError, type Writer } from '../protocol/commit.ts';
import type { StoreContext } from '../protocol/context.ts';
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
}

/**
 * Ends what a commit that died began: all disks that are there get the newest of a key's metas, because a reader may
 * have seen it already. A tombstone goes when all n disks have it, and with it what it was there to outlive.
 */
export async function settleKey(
  context: StoreContext,
  writer: Writer,
  bucket: string,
  key: string,
  { dryRun, mend, allowStale, obstacles }: SettleOptions,
): Promise<Settled> {
  const kind = metaKind(bucket, key);
  const rules: Rules<Meta> = { isDeleted: isTombstone, mend, allowStale, obstacles };
  const first = await judge(context, await readOpenCopies(writer.view.online, kind, obstacles), writer, kind, rules);
  if (first.outcome === 'agreed') return { ...first, live: first.shown.filter(isObject) };
  if (dryRun) return { ...first, live: first.outcome === 'removed' ? [] : first.newest.filter(isObject) };
  return locked(
    context,
    writer,
    [
      [lockName.bucket(bucket), 'shared'],
      [lockName.key(bucket, key), 'exclusive'],
    ],
    async (own) => {
      // Should this be taken back, the older versions count again: gc must not take them for dead meanwhile.
      const versions = objectVersions(await readCopies(own.view.online, kind));
      for (const meta of versions) await own.session.lock(lockName.version(directoryId(meta)), 'shared', own.signal);
      const again = await settle(context, own, bucketFolder(bucket), kind, rules);
      return { ...again, live: again.shown.filter(isObject) };
    },
  );
}

/** The same for a bucket's document; an empty folder that is no bucket goes too. */
export async function settleBucket(
  context: StoreContext,
  writer: Writer,
  bucket: string,
  { dryRun, mend, allowStale, obstacles }: SettleOptions,
): Promise<Settled> {
  const kind = bucketKind(bucket);
  const rules: Rules<BucketDocument> = {
    isDeleted: (document) => document.deleted === true,
    mend,
    allowStale,
    obstacles,
  };
  const first = await judge(context, await readOpenCopies(writer.view.online, kind, obstacles), writer, kind, rules);
  const isBucket = first.shown.length > 0 && first.outcome !== 'removed';
  if (dryRun || (isBucket && first.outcome === 'agreed')) return { ...first, live: [] };
  return locked(context, writer, [[lockName.bucket(bucket), 'exclusive']], async (own) => {
    const disks = own.view.online.filter((disk) => !first.blocked.some((block) => block.disk === disk));
    // Where that fails, so does what is to be put into it, which then says so.
    if (isBucket) {
      await Promise.all(
        disks.map((disk) =>
          makeBucketFolder(disk, bucket, own.durable).catch((error: unknown) => {
            if (!isDiskFault(error)) throw error;
          }),
        ),
      );
    }
    const again = await settle(context, own, bucketFolder(bucket), kind, rules);
    if (!isBucket && again.problem === undefined)
      await Promise.all(disks.map((disk) => disk.removeFolder(bucketFolder(bucket))));
    return { ...again, live: [] };
  });
}

/** The same for the store's horizon. A disk that is to count in reads must have it, because the quorums of before were of other disks. */
export async function settleHorizon(
  context: StoreContext,
  writer: Writer,
  { dryRun, mend, allowStale, obstacles }: SettleOptions,
): Promise<Settled> {
  const rules: Rules<Horizon> = { isDeleted: () => false, mend, allowStale, obstacles };
  const first = await judge(
    context,
    await readOpenCopies(writer.view.online, horizonKind, obstacles),
    writer,
    horizonKind,
    rules,
  );
  if (dryRun || first.outcome === 'agreed') return { ...first, live: [] };
  return locked(context, writer, [[lockName.clock(), 'exclusive']], async (own) => ({
    ...(await settle(context, own, HORIZON_FOLDER, horizonKind, rules)),
    live: [],
  }));
}

function isObject(meta: Meta): meta is ObjectMeta {
  return !isTombstone(meta);
}

/** Runs `work` with the locks of a commit, in a session of its own: many keys are settled side by side. */
async function locked<T>(
  context: StoreContext,
  writer: Writer,
  locks: readonly (readonly [name: string, mode: LockMode])[],
  work: (writer: Writer) => Promise<T>,
): Promise<T> {
  const { signal } = writer;
  const session = await context.locks.open('write');
  try {
    const id = mintId();
    await session.lock(lockName.version(id), 'shared');
    await context.lockDisks({ ...writer, session });
    for (const [name, mode] of locks) await session.lock(name, mode, signal);
    return await work({ ...writer, session, id, view: await context.disks.narrow(writer.view) });
  } finally {
    await session.close();
  }
}

interface Judged<T> {
  outcome: Settled['outcome'];
  /** The documents that disks show. */
  shown: T[];
  /** The newest of them, or none. */
  newest: T[];
  behind: Copy<T>[];
  /** The disks among those of `behind` on which something stands in the place of the document. */
  replaced: Disk[];
  problem?: string;
  blocked: Block[];
  isVouchedFor: boolean;
}

/** What decides about the copies of a kind of document. */
interface Rules<T> {
  isDeleted: (document: T) => boolean;
  mend: boolean;
  allowStale: boolean | undefined;
  obstacles: Obstacles | undefined;
}

/** Says what has to be done about a document's copies. */
async function judge<T extends VersionedDocument>(
  { disks }: StoreContext,
  copies: readonly Copy<T>[],
  { view }: Writer,
  { path }: DocumentKind<T>,
  { isDeleted, mend, allowStale, obstacles }: Rules<T>,
): Promise<Judged<T>> {
  const shown = copies.flatMap((copy) => (copy.state === 'valid' ? [copy.document] : []));
  const bad = copies.filter((copy) => copy.state === 'bad');
  const answers = copies.filter((copy) => copy.state !== 'bad' && disks.isVoter(copy.disk)).length;
  // What a damaged copy said is unknown. Where R others answer, one of them knows of all that was ever acknowledged; a
  // copy that a later program wrote stays as it is.
  const first = bad.find(({ error }) => error.code === 'UNKNOWN_FORMAT') ?? bad[0];
  const isVouchedFor = answers >= disks.readQuorum || (allowStale === true && newestCopy(copies) !== undefined);
  // What stands in the place of a folder concerns more than this document: whoever asked decides about it.
  const blocks = await findBlocks(copies, path);
  const canClear = ({ disk, isAbove }: Block): boolean => obstacles !== undefined && !isAbove && !disks.isVoter(disk);
  const blocked = blocks.filter((block) => !canClear(block));
  const replaced = blocks.filter(canClear).map(({ disk }) => disk);
  if (first !== undefined && !(mend && isVouchedFor && first.error.code !== 'UNKNOWN_FORMAT')) {
    return {
      outcome: 'agreed',
      shown,
      newest: shown,
      behind: [],
      replaced,
      problem: first.error.message,
      blocked,
      isVouchedFor,
    };
  }
  const newest = newestCopy(copies)?.document;
  const mendable = bad.filter((copy) => !blocked.some(({ disk }) => disk === copy.disk));
  if (newest === undefined)
    return {
      outcome: mendable.length === 0 ? 'agreed' : 'settled',
      shown,
      newest: [],
      behind: mendable,
      replaced,
      blocked,
      isVouchedFor,
    };
  const stale = copies.filter(
    (copy) => copy.state === 'absent' || (copy.state === 'valid' && compareAge(copy.document, newest) !== 0),
  );
  const behind = [...stale, ...mendable];
  const common = { shown, newest: [newest], behind, replaced, blocked, isVouchedFor };
  // What is behind an obstacle may come back, as a disk does that is away.
  if (isDeleted(newest) && view.offline.length === 0 && blocked.length === 0) return { outcome: 'removed', ...common };
  return { outcome: behind.length === 0 ? 'agreed' : 'settled', ...common };
}

async function settle<T extends VersionedDocument>(
  context: StoreContext,
  writer: Writer,
  within: string,
  kind: DocumentKind<T>,
  rules: Rules<T>,
): Promise<Judged<T>> {
  const { view, id, durable } = writer;
  const copies = await readCopies(view.online, kind);
  const judged = await judge(context, copies, writer, kind, rules);
  const newest = newestCopy(copies);
  if (judged.outcome === 'agreed') return judged;
  const options = { path: kind.path, within, id, durable, beforeUndo: () => writer.session.mark() };
  for (const disk of judged.replaced) await rules.obstacles?.clear(disk, kind.path);
  if (newest === undefined) {
    // Damaged copies of something that no other disk knows of: it was never acknowledged, or is deleted.
    for (const { disk } of judged.behind) await disk.remove(kind.path, options);
    return judged;
  }
  if (judged.outcome === 'removed') {
    // Before the first tombstone goes, no disk may get an older copy back when the power goes.
    for (const { disk, state } of durable ? copies : []) {
      if (state === 'valid') await disk.syncFolder(dirname(kind.path));
      else if (state === 'absent') await disk.remove(kind.path, options);
    }
    // Older copies first, and what can't be read and may be one: as long as one is left, the tombstones must outlive it.
    const stale = copies.filter(
      (copy) => copy.state === 'bad' || (copy.state === 'valid' && !rules.isDeleted(copy.document)),
    );
    for (const { disk } of stale) await disk.remove(kind.path, options);
    // A disk that has just gone may hold an older copy, and look as if it held none.
    if (!(await context.disks.areAllOnline())) return { ...judged, outcome: 'agreed' };
    for (const { disk, state } of copies) if (state !== 'other') await disk.remove(kind.path, options);
    return { ...judged, shown: [] };
  }
  // A disk that can't take it must not keep it from the others.
  const failures = await publish(judged.behind, newest.bytes, { ...options, quorum: 1 }).catch((error: unknown) =>
    throwAsDiskError(context, error, judged.behind.length),
  );
  if (failures.length > 0) throw quorumError(context, failures, judged.behind.length);
  return { ...judged, shown: [newest.document] };
}
