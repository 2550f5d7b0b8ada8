import { ShardReader } from '../../chunks/shard-reader.ts';
import { forEachAtOnce } from '../../concurrency/workers.ts';
import type { DiskView } from '../../disks/disk-set.ts';
import { diskFault, isStoreError, throwIfAborted, type StoreError } from '../../errors.ts';
import { lockName } from '../../locks/locks.ts';
import { bucketKind, metaKind } from '../../metadata/catalog.ts';
import { readCopies, type DocumentKind } from '../../metadata/copies.ts';
import { horizonKind } from '../../metadata/horizon.ts';
import type { ObjectMeta } from '../../metadata/meta.ts';
import type { Address } from '../../metadata/names.ts';
import type { ShardEntry } from '../../metadata/stripes.ts';
import type { StoreContext } from '../protocol/context.ts';
import {
  diagnose,
  healthOfDocument,
  readQuietCopies,
  withoutMeta,
  type DeletableDocument,
  type ObjectHealth,
} from './diagnosis.ts';
import type { Walk } from '../protocol/walk.ts';
import { openVersion, type OpenVersion } from '../protocol/open-version.ts';

export interface ExamineOptions {
  /** Look only whether files are there and as long as they should be. */
  quick: boolean;
  signal?: AbortSignal | undefined;
  /** Called with the size of every shard that has been looked at, and at once. */
  onBytes?: ((bytes: number) => void) | undefined;
}

/** Shards of one object that are looked at side by side. */
const AT_ONCE = 8;

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
