import pMap, { pMapIterable } from 'p-map';
import type { DiskView } from '../disks/disk-set.ts';
import { checkBucketName } from '../metadata/names.ts';
import type { StoreContext } from './context.ts';
import { requireBucket } from './documents.ts';
import { bucketFolders, walkKeys } from './walk.ts';

/** Which objects an operation is about: all, those of a bucket, or those whose key begins with `prefix`. */
export interface Scope {
  bucket?: string | undefined;
  prefix?: string | undefined;
}

/** Objects that are looked at side by side. */
const AT_ONCE = 8;

/** The buckets of a scope, deleted ones too where it is the whole store. @throws NO_SUCH_BUCKET */
export async function bucketsOf(context: StoreContext, view: DiskView, { bucket }: Scope): Promise<string[]> {
  if (bucket === undefined) return bucketFolders(view.online);
  checkBucketName(bucket);
  await requireBucket(context, view, bucket);
  return [bucket];
}

/** Runs `work` on every key of a scope, several side by side. */
export async function forEachKey(
  context: StoreContext,
  view: DiskView,
  scope: Scope,
  work: (bucket: string, key: string) => Promise<void>,
  allowStale = false,
): Promise<void> {
  for (const bucket of await bucketsOf(context, view, scope)) {
    await pMap(walkKeys(view.online, bucket, scope.prefix), (key) => work(bucket, key), { concurrency: AT_ONCE });
    // A disk that has gone meanwhile has no keys either.
    await context.disks.confirm(view, allowStale);
  }
}

/** Runs `work` on every key of a scope, several side by side, and gives the results in the order of the keys. */
export async function* mapKeys<T>(
  context: StoreContext,
  view: DiskView,
  scope: Scope,
  work: (bucket: string, key: string) => Promise<T>,
): AsyncGenerator<T> {
  for (const bucket of await bucketsOf(context, view, scope)) {
    const results = pMapIterable(walkKeys(view.online, bucket, scope.prefix), async (key) => [await work(bucket, key)] as const, { concurrency: AT_ONCE });
    for await (const [result] of results) yield result;
    await context.disks.confirm(view);
  }
}
