import { checkBucketName, ObjectStore } from '../index.ts';
import { EXIT } from './exit-codes.ts';
import { exitCodeOf, printError } from './failure.ts';
import type { Io } from './io.ts';
import type { CommonOptions } from './options.ts';

/** Creates buckets, and the store if there is none. */
export function runBucketCreate(buckets: readonly string[], options: CommonOptions, io: Io): Promise<number> {
  return forEach(buckets, options, io, true, async (store, bucket) => {
    await store.createBucket(bucket, { signal: io.signal });
    await (options.json === true ? io.stdout.json({ bucket, created: true }) : io.stdout.line(`created ${bucket}`));
  });
}

/** Deletes empty buckets. */
export function runBucketRemove(buckets: readonly string[], options: CommonOptions, io: Io): Promise<number> {
  return forEach(buckets, options, io, false, async (store, bucket) => {
    await store.deleteBucket(bucket, { signal: io.signal });
    await (options.json === true ? io.stdout.json({ bucket, deleted: true }) : io.stdout.line(`deleted ${bucket}`));
  });
}

async function forEach(
  buckets: readonly string[],
  options: CommonOptions,
  io: Io,
  create: boolean,
  work: (store: ObjectStore, bucket: string) => Promise<void>,
): Promise<number> {
  for (const bucket of buckets) checkBucketName(bucket);
  const store = await ObjectStore.open(options.root, { create });
  const failures: unknown[] = [];
  for (const bucket of buckets) {
    try {
      await work(store, bucket);
    } catch (error) {
      if (io.signal.aborted) return EXIT.interrupted;
      failures.push(error);
      await printError(error, io);
    }
  }
  if (failures.length === 0) return EXIT.done;
  return buckets.length === 1 ? exitCodeOf(failures[0]) : EXIT.failed;
}
