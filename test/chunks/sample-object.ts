import { createHash } from 'node:crypto';
import type { ChunkEntry, ObjectMeta, ParityEntry } from '../../src/metadata/meta.ts';
import { chunkFile, parityFile } from '../../src/metadata/shard-file.ts';
import { coefficient } from '../../src/erasure/matrix.ts';
import * as reference from '../../src/erasure/reference.ts';
import { parseRedundancy } from '../../src/metadata/redundancy.ts';
import { shardsOf, stripesOf, type ShardEntry, type Stripe } from '../../src/metadata/stripes.ts';
import type { Disk } from '../../src/disks/disk.ts';
import { FaultyDisk, type PlannedFault } from '../support/faulty-disk.ts';
import { MemoryDisk } from '../contract/memory-disk.ts';
import { objectMeta, VERSION } from '../metadata/sample-meta.ts';
import { seededBytes } from '../support/bytes.ts';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Ways in which a shard can be lost. */
export const LOSSES = ['missing', 'corrupt', 'truncated', 'too long', 'unreadable', 'offline'] as const;
export type Loss = (typeof LOSSES)[number];

/** The code of the error that each is reported with. */
export const CODE_OF: Record<Loss, string> = {
  missing: 'CHUNK_UNAVAILABLE',
  corrupt: 'CHUNK_DAMAGED',
  truncated: 'CHUNK_DAMAGED',
  'too long': 'CHUNK_DAMAGED',
  unreadable: 'CHUNK_UNAVAILABLE',
  offline: 'CHUNK_UNAVAILABLE',
};

/**
 * An object in memory: chunks of the given sizes and their parity, computed in plain TypeScript. Shard j of stripe s is on
 * disk (s + j) mod n. Reads of such disks are over before any timer fires.
 */
export class SampleObject {
  readonly bytes: Buffer;
  readonly meta: ObjectMeta;
  readonly stripes: Stripe[];
  readonly #contents = new Map<string, Buffer>();
  readonly #count: number;

  constructor(redundancy: string, sizes: readonly number[]) {
    const { data, parity: rows } = parseRedundancy(redundancy);
    this.#count = data + rows;
    const chunks: ChunkEntry[] = [];
    const parity: ParityEntry[] = [];
    const pieces = sizes.map((size, order) => seededBytes(size, order));
    for (let first = 0, stripe = 0; first < sizes.length; first += data, stripe++) {
      const own = pieces.slice(first, first + data);
      const diskOf = (shard: number): string => `disk${((stripe + shard) % this.#count) + 1}`;
      own.forEach((bytes, index) => {
        chunks.push(
          this.#keep(
            {
              order: first + index,
              disk: diskOf(index),
              file: chunkFile(VERSION, first + index),
              size: bytes.length,
              sha256: sha256(bytes),
            },
            bytes,
          ),
        );
      });
      const protects = own.map((_, index) => first + index);
      for (let row = 0; row < rows; row++) {
        const bytes = Buffer.alloc(Math.max(...own.map(({ length }) => length)));
        reference.combine([Uint8Array.from(own, (_, column) => coefficient(row, column))], own, [bytes]);
        parity.push(
          this.#keep(
            {
              protects,
              row,
              disk: diskOf(own.length + row),
              file: parityFile(VERSION, first, row),
              size: bytes.length,
              sha256: sha256(bytes),
            },
            bytes,
          ),
        );
      }
    }
    this.bytes = Buffer.concat(pieces);
    this.meta = objectMeta({ key: 'folder/demo.txt', size: this.bytes.length, redundancy, chunks, parity });
    this.stripes = stripesOf(this.meta);
  }

  stripe(index: number): Stripe {
    const stripe = this.stripes[index];
    if (stripe === undefined) throw new Error(`there is no stripe ${index}`);
    return stripe;
  }

  /** The bytes of chunks, one after the other. */
  bytesOf(chunks: readonly ChunkEntry[]): Buffer {
    return Buffer.concat(chunks.map((chunk) => this.#contents.get(chunk.file) ?? Buffer.alloc(0)));
  }

  /** Fresh disks with all of it, but for what is lost; and with planned faults, by name of the disk. */
  async disks(
    lost: ReadonlyMap<ShardEntry, Loss> = new Map(),
    faults: Record<string, PlannedFault[]> = {},
  ): Promise<{ all: FaultyDisk[]; online: Disk[]; inner: MemoryDisk[] }> {
    const inner = Array.from({ length: this.#count }, (_, index) => new MemoryDisk(`disk${index + 1}`));
    const planned = new Map(inner.map(({ name }) => [name, [...(faults[name] ?? [])]]));
    const offline = new Set<string>();
    for (const shard of this.stripes.flatMap(shardsOf)) {
      const loss = lost.get(shard);
      const path = shard.file;
      const bytes = harm(this.#contents.get(shard.file) ?? Buffer.alloc(0), loss);
      if (bytes !== undefined) await inner.find(({ name }) => name === shard.disk)?.create(path, bytes);
      if (loss === 'unreadable')
        planned
          .get(shard.disk)
          ?.push({ operation: 'read', path, times: Infinity, effect: { kind: 'fail', errno: 'EIO' } });
      if (loss === 'offline') offline.add(shard.disk);
    }
    const all = inner.map((disk) => new FaultyDisk(disk, planned.get(disk.name) ?? []));
    return { all, online: all.filter(({ name }) => !offline.has(name)), inner };
  }

  #keep<T extends ShardEntry>(shard: T, bytes: Buffer): T {
    this.#contents.set(shard.file, bytes);
    return shard;
  }
}

function harm(bytes: Buffer, loss: Loss | undefined): Buffer | undefined {
  if (loss === 'missing') return undefined;
  if (loss === 'truncated') return bytes.subarray(0, bytes.length - 1);
  if (loss === 'too long') return Buffer.concat([bytes, Buffer.from('x')]);
  if (loss !== 'corrupt') return bytes;
  const changed = Buffer.from(bytes);
  // At the beginning, where shorter shards of the stripe have bytes too: all that is computed from it is wrong.
  changed[0] = (changed[0] ?? 0) ^ 0x40;
  return changed;
}
