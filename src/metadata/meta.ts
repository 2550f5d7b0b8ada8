import * as v from 'valibot';
import { FORMAT, seal, versionSchema, type VersionedDocument } from './document.ts';
import { MAX_SHARDS } from '../erasure/shape.ts';
import { isDiskName } from './names.ts';
import { isRedundancy } from './redundancy.ts';
import { uploadIdOf, uploadOf } from './shard-file.ts';

/** Bytes of a chunk, the last one of an object excepted. */
export const CHUNK_SIZE = 1024 * 1024;

/** Chunks and parity chunks of an object at most: its meta, some 200 bytes each, must stay a document that can be read at once. */
export const MAX_CHUNKS = 1_000_000;

/** Bytes of a chunk in a meta at most, because a chunk is read whole. */
const MAX_CHUNK_SIZE = 64 * CHUNK_SIZE;

const SHA256 = /^[0-9a-f]{64}$/;

const size = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const shard = {
  // A meta may have been tampered with: what is no disk's name, or no chunk's path, could lead out of the store.
  disk: v.pipe(v.string(), v.check(isDiskName, 'not a disk name')),
  file: v.pipe(
    v.string(),
    v.check((file) => uploadIdOf(file) !== undefined, "not a chunk's file"),
  ),
  // An object of no bytes has no chunks, so no chunk is empty.
  size: v.pipe(size, v.minValue(1), v.maxValue(MAX_CHUNK_SIZE)),
  sha256: v.pipe(v.string(), v.regex(SHA256, 'not a SHA-256')),
};

const chunkSchema = v.object({ order: size, ...shard });
const paritySchema = v.object({
  protects: v.pipe(v.array(size), v.minLength(1), v.maxLength(MAX_SHARDS - 1)),
  row: v.pipe(size, v.maxValue(MAX_SHARDS - 1)),
  ...shard,
});

const common = {
  format: v.literal(FORMAT),
  bucket: v.string(),
  key: v.string(),
  version: versionSchema,
  createdAt: v.pipe(v.string(), v.isoTimestamp()),
};

/** Whether every parity chunk protects consecutive chunks that are there, those of one stripe the same ones, and no two stripes share a chunk. */
function areStripes(
  chunks: readonly { size: number }[],
  parity: readonly { protects: number[]; row: number; size: number }[],
): boolean {
  const stripeOf = new Map<number, number[]>();
  const rows = new Set<string>();
  for (const { protects, row, size: length } of parity) {
    const [first = 0] = protects;
    const known = stripeOf.get(first);
    if (known === undefined) {
      if (protects.some((order, index) => order !== first + index || order >= chunks.length || stripeOf.has(order)))
        return false;
      for (const order of protects) stripeOf.set(order, protects);
    } else if (
      known[0] !== first ||
      known.length !== protects.length ||
      protects.some((order, index) => order !== known[index])
    ) {
      return false;
    }
    if (protects.length + row >= MAX_SHARDS) return false;
    const name = `${first} ${row}`;
    if (rows.has(name) || length !== Math.max(...protects.map((order) => chunks[order]?.size ?? 0))) return false;
    rows.add(name);
  }
  return true;
}

/** Whether no two shards have one file, not even on different disks: either may be moved to the other's disk. */
function areApart(shards: readonly { file: string }[]): boolean {
  return new Set(shards.map(({ file }) => file)).size === shards.length;
}

const objectSchema = v.pipe(
  v.object({
    ...common,
    size,
    contentType: v.string(),
    chunkSize: size,
    redundancy: v.pipe(v.string(), v.check(isRedundancy, 'not k+m')),
    revision: v.optional(versionSchema),
    chunks: v.array(chunkSchema),
    parity: v.array(paritySchema),
    checksum: v.string(),
  }),
  v.check((meta) => meta.chunks.every((chunk, index) => chunk.order === index), 'chunks are not in order'),
  v.check((meta) => meta.chunks.reduce((sum, chunk) => sum + chunk.size, 0) === meta.size, 'sizes do not add up'),
  v.check(({ chunks, parity }) => areApart([...chunks, ...parity]), 'two shards have one file'),
  v.check(({ chunks, parity }) => areStripes(chunks, parity), 'parity does not fit the chunks'),
);

const tombstoneSchema = v.object({ ...common, deleted: v.literal(true), checksum: v.string() });

export const metaSchema = v.union([objectSchema, tombstoneSchema]);

/** One chunk of an object: its place, its size in bytes and its SHA-256 in hex. */
export interface ChunkEntry {
  order: number;
  disk: string;
  /** Path below the disk. It stays when the chunk is moved to another disk. */
  file: string;
  size: number;
  sha256: string;
}

/** One parity chunk: row `row` of the stripe of the chunks whose orders are in `protects`. */
export interface ParityEntry extends Omit<ChunkEntry, 'order'> {
  protects: number[];
  row: number;
}

/** An object version's `.meta.json`. Other members that a later program added are kept. */
export interface ObjectMeta extends VersionedDocument {
  bucket: string;
  key: string;
  createdAt: string;
  /** Bytes. */
  size: number;
  contentType: string;
  /** Bytes of a chunk as it was cut; offsets come from the chunks' own sizes. */
  chunkSize: number;
  /** `k+m`. */
  redundancy: string;
  /** Minted when chunks of this version were moved to other disks: of two copies of one version, the later one is newer. */
  revision?: string | undefined;
  chunks: ChunkEntry[];
  parity: ParityEntry[];
}

/** A meta that says "deleted". */
export interface Tombstone extends VersionedDocument {
  bucket: string;
  key: string;
  createdAt: string;
  deleted: true;
}

export type Meta = ObjectMeta | Tombstone;

export function isTombstone(meta: Meta): meta is Tombstone {
  return 'deleted' in meta && meta.deleted;
}

export function makeObjectMeta(content: Omit<ObjectMeta, 'format' | 'checksum'>): ObjectMeta {
  return seal({ format: FORMAT, ...content });
}

export function makeTombstone(content: Omit<Tombstone, 'format' | 'checksum' | 'deleted'>): Tombstone {
  return seal({ format: FORMAT, ...content, deleted: true as const });
}

/** The ids of the uploads that an object version's chunks come from, each once: by them its chunks are locked. */
export function uploadIds({ chunks, parity }: Pick<ObjectMeta, 'chunks' | 'parity'>): string[] {
  return [...new Set([...chunks, ...parity].map(uploadOf))];
}
