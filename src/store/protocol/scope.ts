import { pMapIterable } from 'p-map';
import { forEachAtOnce } from '../../concurrency/workers.ts';
import type { DiskView } from '../../disks/disk-set.ts';
import { checkBucketName } from '../../metadata/names.ts';
import type { StoreContext } from './context.ts';
import { requireBucket } from './documents.ts';
import type { WalkRules } from './folders.ts';
import { bucketFolders, walkKeys } from './walk.ts';

/** Which objects an operation is about: all, those of a bucket, or those whose key begins with `prefix`. */
export interface Scope {
  bucket?: string | undefined;
  prefix?: string | undefined;
}

/** Objects that are looked at side by side. */
const AT_ONCE = 8;

/** The buckets of a scope, deleted ones too where it is the whole store. @throws NO_SUCH_BUCKET, TOO_FEW_DISKS_TO_READ if the rules say so */
export async function bucketsOf(
  context: StoreContext,
  view: DiskView,
  { bucket }: Scope,
  rules: WalkRules = {},
): Promise<string[]> {
  if (bucket === undefined) return bucketFolders(context, view, rules);
  checkBucketName(bucket);
  await requireBucket(context, view, bucket);
  return [bucket];
}

/** Runs `work` on every key of a scope, several side by side. @throws TOO_FEW_DISKS_TO_READ, if the rules say so */
export async function forEachKey(
  context: StoreContext,
  view: DiskView,
  scope: Scope,
  work: (bucket: string, key: string) => Promise<void>,
  rules: WalkRules = {},
): Promise<void> {
  for (const bucket of await bucketsOf(context, view, scope, rules)) {
    await forEachAtOnce(walkKeys(context, view, bucket, scope.prefix ?? '', rules), AT_ONCE, (key) =>
      work(bucket, key),
    );
    // A disk that has gone meanwhile has no keys either.
    await context.confirm(view, rules.allowStale);
  }
}

/** Runs `work` on every key of a scope, several side by side, and gives the results in the order of the keys. */
export async function* mapKeys<T>(
  context: StoreContext,
  view: DiskView,
  scope: Scope,
  work: (bucket: string, key: string) => Promise<T>,
  rules: WalkRules = {},
): AsyncGenerator<T> {
  for (const bucket of await bucketsOf(context, view, scope, rules)) {
    const running = new Set<Promise<unknown>>();
    const run = async (key: string): Promise<readonly [T]> => {
      const promise = work(bucket, key);
      running.add(promise);
      try {
        return [await promise];
      } finally {
        running.delete(promise);
      }
    };
    try {
      const keys = walkKeys(context, view, bucket, scope.prefix ?? '', rules);
      for await (const [result] of pMapIterable(keys, run, { concurrency: AT_ONCE })) yield result;
    } finally {
      // Where one has failed, nobody is at work any more when that is known.
      await Promise.allSettled(running);
    }
    await context.confirm(view, rules.allowStale);
  }
}
