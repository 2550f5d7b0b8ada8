import type { Disk } from '../disks/disk.ts';
import { diskFault, type StoreError } from '../errors.ts';
import type { ShardEntry } from '../metadata/stripes.ts';
import type { ShardReader } from './shard-reader.ts';

/** A shard, and the reader of its object. */
export interface SoughtShard {
  shard: ShardEntry;
  reader: ShardReader;
}

/** Shards, of any objects, by the disks that they are on. @param onOffline told of those whose disk is not there */
export function byDisk<T extends SoughtShard>(
  sought: readonly T[],
  onOffline: (one: T, error: StoreError) => void = () => undefined,
): Map<Disk, T[]> {
  const disks = new Map<Disk, T[]>();
  for (const one of sought) {
    let disk: Disk;
    try {
      disk = one.reader.diskOf(one.shard);
    } catch (error) {
      onOffline(one, diskFault(error));
      continue;
    }
    const here = disks.get(disk);
    if (here === undefined) disks.set(disk, [one]);
    else here.push(one);
  }
  return disks;
}
