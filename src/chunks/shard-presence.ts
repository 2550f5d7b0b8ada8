import { must, type StoreError } from '../errors.ts';
import type { ShardEntry } from '../metadata/stripes.ts';
import { byDisk, type SoughtShard } from './sought-shards.ts';

/** Shards that are looked for with one call to each disk. */
const TOGETHER = 1024;

/**
 * Looks whether shards, of any objects, are there and as long as they should be.
 * @returns CHUNK_UNAVAILABLE or CHUNK_DAMAGED for each that is not
 */
export async function presenceFaults(sought: readonly SoughtShard[]): Promise<Map<ShardEntry, StoreError>> {
  const faults = new Map<ShardEntry, StoreError>();
  for (let from = 0; from < sought.length; from += TOGETHER) await lookFor(sought.slice(from, from + TOGETHER), faults);
  return faults;
}

async function lookFor(sought: readonly SoughtShard[], faults: Map<ShardEntry, StoreError>): Promise<void> {
  const disks = byDisk(sought, ({ shard }, error) => faults.set(shard, error));
  await Promise.all(
    [...disks].map(async ([disk, here]) => {
      const outcomes = await disk.statMany(here.map(({ shard }) => shard.file));
      for (const [index, { shard, reader }] of here.entries()) {
        const fault = reader.presenceFault(shard, must(outcomes[index], 'look at a shard'));
        if (fault !== undefined) faults.set(shard, fault);
      }
    }),
  );
}
