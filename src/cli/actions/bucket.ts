import { checkBucketName, type ObjectStore, type OpenOptions } from '../../index.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { exitCodeOf, printError } from '../terminal/failure.ts';
import type { Io } from '../terminal/io.ts';
import { openStore } from '../input/open-store.ts';
import type { CommonOptions } from '../input/options.ts';
import { checkedRedundancy } from '../input/redundancy.ts';

export interface BucketCreateCommandOptions extends CommonOptions {
  redundancy?: string;
}

/** Creates buckets, and the store if there is none. */
export async function runBucketCreate(
  buckets: readonly string[],
  options: BucketCreateCommandOptions,
  io: Io,
): Promise<number> {
  const redundancy = checkedRedundancy(options.redundancy);
  return forEach(buckets, options, io, { create: true, redundancy }, async (store, bucket) => {
    await store.createBucket(bucket, { redundancy, signal: io.signal });
    const own = redundancy === undefined ? '' : `  ${redundancy}`;
    await io.stdout.result(options, { bucket, created: true, redundancy }, `created ${bucket}${own}`);
  });
}

/** Deletes empty buckets. */
export function runBucketRemove(buckets: readonly string[], options: CommonOptions, io: Io): Promise<number> {
  return forEach(buckets, options, io, {}, async (store, bucket) => {
    await store.deleteBucket(bucket, { signal: io.signal });
    await io.stdout.result(options, { bucket, deleted: true }, `deleted ${bucket}`);
  });
}

async function forEach(
  buckets: readonly string[],
  options: CommonOptions,
  io: Io,
  open: OpenOptions,
  work: (store: ObjectStore, bucket: string) => Promise<void>,
): Promise<number> {
  for (const bucket of buckets) checkBucketName(bucket);
  const store = await openStore(options, io, open);
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
