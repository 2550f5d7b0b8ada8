import type { NewFile } from '../disks/disk.ts';
import { must } from '../errors.ts';
import { CHUNKS_FOLDER, SET_ASIDE } from '../metadata/shard-file.ts';
import type { ShardEntry } from '../metadata/stripes.ts';
import { sha256Now } from './sha256.ts';
import { byDisk, type SoughtShard } from './sought-shards.ts';

/** A shard that is to be written. */
export interface NewShard extends SoughtShard {
  bytes: Buffer;
}

/**
 * Reads small shards, of any objects, with one call to each disk, and checks them.
 * @returns those that are right; of others, and of those whose disk is not there, it says nothing
 */
export async function readSmallShards(sought: readonly SoughtShard[]): Promise<Map<ShardEntry, Buffer>> {
  const contents = new Map<ShardEntry, Buffer>();
  await Promise.all(
    [...byDisk(sought)].map(async ([disk, here]) => {
      const outcomes = await disk.readMany(here.map(({ shard }) => shard.file));
      for (const [index, { shard }] of here.entries()) {
        const outcome = must(outcomes[index], 'read of a shard');
        const bytes = 'error' in outcome ? undefined : outcome.bytes;
        if (bytes?.length === shard.size && sha256Now(bytes) === shard.sha256) contents.set(shard, bytes);
      }
    }),
  );
  return contents;
}

/** The shards beside which there is certainly nothing that was set aside. */
export async function withoutSetAside(sought: readonly SoughtShard[]): Promise<Set<ShardEntry>> {
  const without = new Set<ShardEntry>();
  await Promise.all(
    [...byDisk(sought)].map(async ([disk, here]) => {
      const outcomes = await disk.statMany(here.map(({ shard }) => shard.file + SET_ASIDE));
      for (const [index, { shard }] of here.entries()) {
        const outcome = must(outcomes[index], 'look beside a shard');
        if (!('error' in outcome) && outcome.stat === undefined) without.add(shard);
      }
    }),
  );
  return without;
}

/**
 * Writes small shards where they belong, and where nothing is, with one call to each disk. With `durable`, they and their names
 * are durable when it resolves.
 * @returns those that have been written; of the others nothing is left
 */
export async function createSmallShards(shards: readonly NewShard[], durable: boolean): Promise<Set<ShardEntry>> {
  const created = new Set<ShardEntry>();
  await Promise.all(
    [...byDisk(shards)].map(async ([disk, here]) => {
      const files = here.map(({ shard, bytes }): NewFile => ({ path: shard.file, bytes }));
      const failures = await disk.createMany(files, { within: CHUNKS_FOLDER, durable });
      for (const [index, { shard }] of here.entries()) if (!failures.has(index)) created.add(shard);
    }),
  );
  return created;
}
