import type { Disk } from '../../disks/disk.ts';
import { newestCopy, type Copy, type DocumentKind } from '../../metadata/copies.ts';
import { compareAge, type VersionedDocument } from '../../metadata/document.ts';
import { isTombstone, type Meta, type ObjectMeta } from '../../metadata/meta.ts';
import type { StoreContext } from '../protocol/context.ts';
import type { Locked } from '../protocol/operation.ts';
import { findBlocks, type Block, type Obstacles } from './obstacles.ts';

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
export interface Settling<T> extends DocumentKind<T> {
  isDeleted: (document: T) => boolean;
}

/** What has to be done about a document's copies. */
export interface Decision<T> extends Omit<Settled, 'live'> {
  /** The documents that disks show. */
  shown: T[];
  /** The newest of them, or none. */
  newest: T[];
  behind: Copy<T>[];
  /** The disks among those of `behind` on which something stands in the place of the document. */
  replaced: Disk[];
}

/** Says what has to be done about a document's copies. */
export async function decide<T extends VersionedDocument>(
  { disks }: StoreContext,
  { mend, allowStale, obstacles }: SettleOptions,
  { kind: { path, isDeleted }, view, copies }: Locked<T> & { kind: Settling<T> },
): Promise<Decision<T>> {
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

export function isObject(meta: Meta): meta is ObjectMeta {
  return !isTombstone(meta);
}
