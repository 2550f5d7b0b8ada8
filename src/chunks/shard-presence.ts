import type { Disk } from '../disks/disk.ts';
import { diskFault, must, type StoreError } from '../errors.ts';
import type { ShardEntry } from '../metadata/stripes.ts';
import type { ShardReader } from './shard-reader.ts';

/** A shard, and the reader of its object. */
export interface SoughtShard {
  shard: ShardEntry;
  reader: ShardReader;
}

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
  const byDisk = new Map<Disk, SoughtShard[]>();
  for (const one of sought) {
    const { shard, reader } = one;
    let disk: Disk;
    try {
      disk = reader.diskOf(shard);
    } catch (error) {
      faults.set(shard, diskFault(error));
      continue;
    }
    const here = byDisk.get(disk);
    if (here === undefined) byDisk.set(disk, [one]);
    else here.push(one);
  }
  await Promise.all(
    [...byDisk].map(async ([disk, here]) => {
      const outcomes = await disk.statMany(here.map(({ shard }) => shard.file));
      for (const [index, { shard, reader }] of here.entries()) {
        const fault = reader.presenceFault(shard, must(outcomes[index], 'look at a shard'));
        if (fault !== undefined) faults.set(shard, fault);
      }
    }),
  );
}
