import { presenceFaults } from '../../chunks/shard-presence.ts';
import { ShardReader } from '../../chunks/shard-reader.ts';
import type { SoughtShard } from '../../chunks/sought-shards.ts';
import { forEachAtOnce } from '../../concurrency/workers.ts';
import type { DiskView } from '../../disks/disk-set.ts';
import { diskFault, isStoreError, throwIfAborted, type StoreError } from '../../errors.ts';
import { lockName } from '../../locks/locks.ts';
import { bucketKind, metaKind } from '../../metadata/catalog.ts';
import { commonDocument, readCopies, type DocumentKind } from '../../metadata/copies.ts';
import { horizonKind } from '../../metadata/horizon.ts';
import { isTombstone, type ObjectMeta } from '../../metadata/meta.ts';
import type { Address } from '../../metadata/names.ts';
import type { ShardEntry } from '../../metadata/stripes.ts';
import type { StoreContext } from '../protocol/context.ts';
import {
  diagnose,
  healthOf,
  healthOfDocument,
  readQuietCopies,
  withoutMeta,
  type DeletableDocument,
  type ObjectHealth,
} from './diagnosis.ts';
import { holdVersions, type HeldVersion } from '../protocol/hold-many.ts';
import type { Walk, WalkedMeta } from '../protocol/walk.ts';
import { openVersion, type OpenVersion } from '../protocol/open-version.ts';

export interface ExamineOptions {
  /** Look only whether files are there and as long as they should be. */
  quick: boolean;
  signal?: AbortSignal | undefined;
  /** Called with the size of every shard that has been looked at, and at once. */
  onBytes?: ((bytes: number) => void) | undefined;
}

/** Shards of one object, or objects of a slice, that are looked at side by side. */
const AT_ONCE = 8;

/** Fewer objects than so many are looked at as fast by themselves. */
const LEAST = 4;

/** Looks at every chunk, parity chunk and meta copy of an object. Undefined where there is no such object. */
export async function examine(
  context: StoreContext,
  bucket: string,
  key: string,
  options: ExamineOptions,
): Promise<ObjectHealth | undefined> {
  let held: OpenVersion;
  try {
    held = await openVersion(context, bucket, key, { signal: options.signal });
  } catch (error) {
    return healthWithoutMeta(context, { bucket, key }, error);
  }
  try {
    const { meta, view, session } = held;
    const faults = await findFaults(meta, view, context, options);
    return await diagnose(context, { session, view, signal: options.signal }, meta, (shard) => faults.get(shard));
  } finally {
    await held.release();
  }
}

/**
 * The same of objects that a walk has come by, in their order, as `quick` has it. What all disks agree about, and has all of
 * its chunks, is whole without a lock: its chunks were there after its meta. Any other is looked at with its version held,
 * because it may have been overwritten meanwhile: together with others where nothing is odd about its metas, or else by itself.
 */
export async function examineSlice(
  context: StoreContext,
  view: DiskView,
  slice: readonly WalkedMeta[],
  options: Omit<ExamineOptions, 'quick'>,
): Promise<(ObjectHealth | undefined)[]> {
  throwIfAborted(options.signal);
  const seen: Seen[] = [];
  const others: WalkedMeta[] = [];
  for (const walked of slice) {
    const meta = commonDocument(walked.copies);
    if (meta === undefined) others.push(walked);
    else if (!isTombstone(meta)) seen.push({ walked, meta, copies: walked.copies });
  }
  const healths = new Map<WalkedMeta, ObjectHealth | undefined>();
  const conclude = ({ walked, meta, copies }: Seen, disks: DiskView, faultOf: FaultOf): void => {
    healths.set(walked, healthOf(context, disks, { meta, copies, faultOf }));
    for (const shards of [meta.chunks, meta.parity]) for (const { size } of shards) options.onBytes?.(size);
  };
  const faultOf = await findMissing(view, seen);
  for (const one of seen) {
    if (hasLost(one.meta, faultOf)) others.push(one.walked);
    else conclude(one, view, faultOf);
  }
  await examineHeld(context, others, conclude);
  const alone = others.filter((walked) => !healths.has(walked));
  await forEachAtOnce(alone, AT_ONCE, async (walked) => {
    const { bucket, key } = walked;
    healths.set(walked, await examine(context, bucket, key, { ...options, quick: true }));
  });
  return slice.map((walked) => healths.get(walked));
}

/** An object that a walk has come by, and the meta that all disks have. */
interface Seen extends HeldVersion {
  walked: WalkedMeta;
}

type FaultOf = (shard: ShardEntry) => StoreError | undefined;

/** Looks at those of the objects whose versions can be held together. */
async function examineHeld(
  context: StoreContext,
  objects: readonly WalkedMeta[],
  conclude: (one: Seen, view: DiskView, faultOf: FaultOf) => void,
): Promise<void> {
  if (objects.length < LEAST) return;
  const view = await context.lookForReading();
  const session = await context.locks.open('read');
  try {
    const { versions } = await holdVersions(context, objects, { session, view });
    const held = objects.flatMap((walked, index) => {
      const version = versions[index];
      return version === undefined ? [] : [{ walked, ...version }];
    });
    const faultOf = await findMissing(view, held);
    for (const one of held) conclude(one, view, faultOf);
  } finally {
    await session.close();
  }
}

/** Looks whether the shards of objects are there and as long as they should be. */
async function findMissing(view: DiskView, objects: readonly HeldVersion[]): Promise<FaultOf> {
  const sought: SoughtShard[] = [];
  for (const { meta } of objects) {
    const reader = new ShardReader(meta, view);
    for (const shards of [meta.chunks, meta.parity]) for (const shard of shards) sought.push({ shard, reader });
  }
  const faults = await presenceFaults(sought);
  return (shard) => faults.get(shard);
}

/** Whether a shard is not as it should be on a disk that answers: of a disk that does not, no commit tells more. */
function hasLost(meta: ObjectMeta, faultOf: FaultOf): boolean {
  return [...meta.chunks, ...meta.parity].some((shard) => {
    const fault = faultOf(shard);
    return fault !== undefined && fault.details.fault !== 'offline';
  });
}

/** The health of the store's horizon, and of the documents of a walk's buckets, undefined where all is well. */
export async function* examineDocuments(
  context: StoreContext,
  view: DiskView,
  walk: Walk,
  signal: AbortSignal | undefined,
): AsyncGenerator<ObjectHealth | undefined> {
  const examineOne = async <T extends DeletableDocument>(
    bucket: string,
    kind: DocumentKind<T>,
    lock: string,
  ): Promise<ObjectHealth | undefined> => {
    const session = await context.locks.open('read');
    try {
      return healthOfDocument(context, bucket, kind, await readQuietCopies({ session, view, signal }, kind, lock));
    } finally {
      await session.close();
    }
  };
  yield await examineOne('', horizonKind, lockName.clock());
  for (const bucket of await walk.buckets())
    yield await examineOne(bucket, bucketKind(bucket), lockName.bucket(bucket));
}

/** What to say of an object whose version can't be opened; undefined where it has been deleted. @throws what concerns the whole store */
export async function healthWithoutMeta(
  context: StoreContext,
  address: Address,
  error: unknown,
): Promise<ObjectHealth | undefined> {
  if (isStoreError(error, 'NO_SUCH_KEY', 'NO_SUCH_BUCKET')) return undefined;
  if (!isStoreError(error, 'META_DAMAGED', 'UNKNOWN_FORMAT', 'TOO_FEW_DISKS_TO_READ')) throw error;
  // Where too few disks are there at all, that is said once, and not of every object.
  const view = await context.lookForReading();
  return withoutMeta(address, await readCopies(view.online, metaKind(address.bucket, address.key)), error);
}

async function findFaults(
  meta: ObjectMeta,
  view: DiskView,
  context: StoreContext,
  options: ExamineOptions,
): Promise<Map<ShardEntry, StoreError>> {
  const reader = new ShardReader(meta, view);
  const faults = new Map<ShardEntry, StoreError>();
  await forEachAtOnce([...meta.chunks, ...meta.parity], AT_ONCE, async (shard) => {
    throwIfAborted(options.signal);
    try {
      await (options.quick ? reader.checkPresence(shard) : readAndCheck(reader, shard, context));
    } catch (error) {
      faults.set(shard, diskFault(error));
    }
    options.onBytes?.(shard.size);
  });
  return faults;
}

function readAndCheck(reader: ShardReader, shard: ShardEntry, { pool, budget }: StoreContext): Promise<void> {
  reader.diskOf(shard);
  return budget.spend(pool.cost(shard.size + 1), async () => {
    const buffer = pool.take(shard.size + 1);
    try {
      await reader.check(shard, await reader.read(shard, { buffer, direct: true }));
    } finally {
      pool.give(buffer);
    }
  });
}
