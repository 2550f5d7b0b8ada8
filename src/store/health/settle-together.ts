import type { DiskView } from '../../disks/disk-set.ts';
import { isStoreError, must } from '../../errors.ts';
import { metaKind } from '../../metadata/catalog.ts';
import { newestCopy, type Copy, type ValidCopy } from '../../metadata/copies.ts';
import { isTombstone, type Meta } from '../../metadata/meta.ts';
import type { StoreContext } from '../protocol/context.ts';
import { Operation } from '../protocol/operation.ts';
import type { WalkedMeta } from '../protocol/walk.ts';
import { decide, isObject, type Decision, type Settled, type SettleOptions, type Settling } from './decision.ts';

/** Fewer than so many are as fast by themselves. */
const LEAST = 4;

/** Keys of one bucket, and those who settle them. */
export interface Unsettled {
  context: StoreContext;
  view: DiskView;
  options: SettleOptions;
  walked: readonly WalkedMeta[];
}

/** A key that is locked, and what has to be done about it. */
interface Task {
  walked: WalkedMeta;
  kind: Settling<Meta>;
  decision: Decision<Meta>;
  newest: ValidCopy<Meta>;
}

/**
 * Brings the metas of many keys into step as is done for one, each step for all of them: so they share locks of the bucket,
 * looks at the disks, threads and syncs. It does what is mostly to be done, and goes well: disks that can be read lack the newest
 * version of an object, and take it.
 * @returns what became of keys; one that is not among them has to be settled by itself, which tells why it could not be here
 */
export async function settleTogether(unsettled: Unsettled): Promise<Map<WalkedMeta, Settled>> {
  const { context, view, options } = unsettled;
  const behind: WalkedMeta[] = [];
  for (const walked of unsettled.walked) {
    const { bucket, key, copies } = walked;
    if (!isPlain(copies)) continue;
    const decision = await decide(context, options, { kind: kindOf(bucket, key), view, copies });
    if (decision.outcome === 'settled') behind.push(walked);
  }
  if (options.dryRun || behind.length < LEAST) return new Map();
  try {
    return await Operation.run(context, { view, signal: options.signal }, (operation) =>
      settleLocked(operation, options, behind),
    );
  } catch (error) {
    if (isStoreError(error)) return new Map();
    throw error;
  }
}

async function settleLocked(
  operation: Operation,
  options: SettleOptions,
  behind: readonly WalkedMeta[],
): Promise<Map<WalkedMeta, Settled>> {
  const settled = new Map<WalkedMeta, Settled>();
  const { bucket } = must(behind[0], 'key');
  const keys = behind.map(({ key }) => key);
  const found = await operation.tryLockKeys(bucket, keys);
  const tasks: Task[] = [];
  for (const [index, walked] of behind.entries()) {
    const locked = found[index];
    // What a disk could not do for the whole bucket is no key's own.
    if (locked === undefined || locked.chunksOnly.length > 0 || !isPlain(locked.copies)) continue;
    const kind = kindOf(bucket, walked.key);
    const decision = await decide(operation.context, options, { ...locked, kind });
    const newest = must(newestCopy(locked.copies), 'newest copy');
    if (decision.outcome === 'settled') tasks.push({ walked, kind, decision, newest });
    else if (decision.outcome === 'agreed') settled.set(walked, { ...decision, live: decision.shown.filter(isObject) });
  }
  const documents = tasks.map(({ kind, decision, newest }) => {
    return { kind, behind: decision.behind, bytes: newest.bytes };
  });
  const brought = await operation.bringAll(documents);
  for (const [index, { walked, decision, newest }] of tasks.entries()) {
    const failures = brought[index];
    if (Array.isArray(failures) && failures.length === 0)
      settled.set(walked, { ...decision, live: [newest.document].filter(isObject) });
  }
  return settled;
}

/** Whether all disks can be read, and the newest that they have is an object. */
function isPlain(copies: readonly Copy<Meta>[]): boolean {
  const newest = newestCopy(copies)?.document;
  return (
    newest !== undefined && isObject(newest) && copies.every(({ state }) => state === 'valid' || state === 'absent')
  );
}

function kindOf(bucket: string, key: string): Settling<Meta> {
  return { ...metaKind(bucket, key), isDeleted: isTombstone };
}
