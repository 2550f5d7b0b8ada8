import type { Disk, NewFile } from '../disks/disk.ts';
import { Rooms } from '../disks/rooms.ts';
import { must } from '../errors.ts';
import { CHUNK_SIZE } from '../metadata/meta.ts';
import type { Redundancy } from '../metadata/redundancy.ts';
import { CHUNKS_FOLDER, chunkFile, parityFile } from '../metadata/shard-file.ts';
import { placeStripe, startOf } from './placement.ts';
import { removeChunks } from './remove-chunks.ts';
import { sha256Now } from './sha256.ts';
import type { WrittenChunks } from './written-chunks.ts';

/** A small object's bytes: one chunk at most. */
export interface SmallContent {
  /** Id of its upload, locked by the caller until after the commit. */
  id: string;
  bytes: Uint8Array;
  redundancy: Redundancy;
}

/** A shard of a small object, on its way to its disk. */
interface Shard {
  of: number;
  disk: Disk;
  file: NewFile;
}

/**
 * Writes the chunks of many small objects, and the copies that are their parity, each disk all of its own at once. When it resolves,
 * they and their names are durable.
 *
 * @param disks that are there and take chunks
 * @returns what was written of each; undefined where that is not all of it on the disks where it belongs, and then nothing is left
 */
export async function writeSmallChunks(
  disks: readonly Disk[],
  contents: readonly SmallContent[],
  durable: boolean,
): Promise<(WrittenChunks | undefined)[]> {
  const places = await placeAll(disks, contents);
  const shards = places.flatMap((chosen, of) => {
    const { id, bytes } = must(contents[of], 'content');
    return (chosen ?? []).map((disk, shard): Shard => {
      const path = shard === 0 ? chunkFile(id, 0) : parityFile(id, 0, shard - 1);
      return { of, disk, file: { path, bytes } };
    });
  });
  const failed = new Set<Shard>();
  await Promise.all(
    disks.map(async (disk) => {
      const own = shards.filter((shard) => shard.disk === disk);
      const files = own.map(({ file }) => file);
      if (files.length === 0) return;
      for (const index of (await disk.createMany(files, { within: CHUNKS_FOLDER, durable })).keys())
        failed.add(must(own[index], 'shard'));
    }),
  );
  const incomplete = new Set([...failed].map(({ of }) => of));
  const orphans = shards.filter((shard) => incomplete.has(shard.of) && !failed.has(shard));
  const toRemove = orphans.map(({ disk, file }) => ({ disk: disk.name, file: file.path }));
  await removeChunks(disks, toRemove);
  return contents.map((content, of) => {
    const chosen = places[of];
    return chosen === undefined || incomplete.has(of) ? undefined : describe(content, chosen);
  });
}

/** The disks of each object's shards, by row; undefined where there are too few with room for it. */
async function placeAll(
  disks: readonly Disk[],
  contents: readonly SmallContent[],
): Promise<(readonly Disk[] | undefined)[]> {
  const rooms = await Rooms.of(disks);
  const weights = disks.map((disk) => Math.min(rooms.left(disk), Number.MAX_SAFE_INTEGER));
  const places: (readonly Disk[] | undefined)[] = [];
  for (const { id, bytes, redundancy } of contents) {
    const shards = bytes.length === 0 ? 0 : 1 + redundancy.parity;
    const indices = shards === 0 ? [] : placeStripe(startOf(id), 0, shards, weights);
    const chosen = indices.map((index) => must(disks[index], 'disk that was chosen'));
    const isRoom = chosen.length === shards && chosen.every((disk) => rooms.left(disk) >= bytes.length);
    if (isRoom) for (const disk of chosen) await rooms.take(disk, bytes.length);
    places.push(isRoom ? chosen : undefined);
  }
  return places;
}

function describe({ id, bytes }: SmallContent, [first, ...others]: readonly Disk[]): WrittenChunks {
  if (first === undefined) return { chunks: [], parity: [], unwritten: [] };
  if (bytes.length > CHUNK_SIZE) throw new TypeError('a small object has one chunk at most');
  const content = { size: bytes.length, sha256: sha256Now(bytes) };
  const chunks = [{ order: 0, disk: first.name, file: chunkFile(id, 0), ...content }];
  const parity = others.map(({ name }, row) => {
    return { protects: [0], row, disk: name, file: parityFile(id, 0, row), ...content };
  });
  return { chunks, parity, unwritten: [] };
}
