import { hash } from 'node:crypto';
import type { Disk } from '../disks/disk.ts';
import type { OfflineDisk } from '../disks/disk-set.ts';
import { isStoreError, StoreError } from '../errors.ts';
import type { ChunkEntry, ObjectMeta } from '../metadata/meta.ts';

/** A chunk of an object and the bytes of it that a reader wants: `from` up to but not including `to`. */
export interface ChunkSlice {
  chunk: ChunkEntry;
  from: number;
  to: number;
  /** Where the slice lands, counted from the first byte wanted. */
  target: number;
}

/** The slices that make up bytes `from` up to but not including `to` of an object. Offsets come from the chunks' sizes. */
export function sliceChunks(chunks: readonly ChunkEntry[], from: number, to: number): ChunkSlice[] {
  const slices: ChunkSlice[] = [];
  let start = 0;
  for (const chunk of chunks) {
    const end = start + chunk.size;
    if (end > from && start < to) {
      const first = Math.max(from, start);
      slices.push({ chunk, from: first - start, to: Math.min(to, end) - start, target: first - from });
    }
    start = end;
  }
  return slices;
}

/** Reads chunks of one object version, and hands out only bytes that match their SHA-256. */
export class ChunkReader {
  readonly #meta: ObjectMeta;
  readonly #disks: Map<string, Disk>;
  readonly #offline: Map<string, OfflineDisk>;

  constructor(meta: ObjectMeta, online: readonly Disk[], offline: readonly OfflineDisk[]) {
    this.#meta = meta;
    this.#disks = new Map(online.map((disk) => [disk.name, disk]));
    this.#offline = new Map(offline.map((entry) => [entry.disk, entry]));
  }

  /** Tells before the first byte is read whether every disk that is needed is there. @throws CHUNK_UNAVAILABLE */
  checkDisks(slices: readonly ChunkSlice[]): void {
    for (const { chunk } of slices) this.#disk(chunk);
  }

  /** The whole chunk, in `buffer` if it fits. @throws CHUNK_UNAVAILABLE, CHUNK_DAMAGED */
  async read(chunk: ChunkEntry, buffer?: Buffer): Promise<Buffer> {
    const disk = this.#disk(chunk);
    let bytes: Buffer | undefined;
    try {
      bytes = await disk.read(`${this.#meta.directory}/${chunk.file}`, { buffer, limit: chunk.size });
    } catch (error) {
      if (!isStoreError(error)) throw error;
      if (error.details.errno === 'EFBIG') throw this.#error('CHUNK_DAMAGED', chunk, 'is damaged: it is too long', { expected: chunk.size }, error);
      throw this.#error('CHUNK_UNAVAILABLE', chunk, `cannot be read: ${error.message}`, {}, error);
    }
    if (bytes === undefined) throw this.#error('CHUNK_UNAVAILABLE', chunk, 'is missing');
    if (bytes.length !== chunk.size) {
      const sizes = { expected: chunk.size, found: bytes.length };
      const more = bytes.length > chunk.size ? 'too long' : `only ${String(bytes.length)} of ${String(chunk.size)} bytes long`;
      throw this.#error('CHUNK_DAMAGED', chunk, `is damaged: it is ${more}`, sizes);
    }
    const found = hash('sha256', bytes, 'hex');
    if (found !== chunk.sha256) {
      throw this.#error('CHUNK_DAMAGED', chunk, 'is damaged: its SHA-256 does not match', { expected: chunk.sha256, found });
    }
    return bytes;
  }

  #disk(chunk: ChunkEntry): Disk {
    const disk = this.#disks.get(chunk.disk);
    if (disk !== undefined) return disk;
    const offline = this.#offline.get(chunk.disk);
    if (offline === undefined) throw this.#error('CHUNK_UNAVAILABLE', chunk, 'is out of reach: this store has no such disk');
    throw this.#error('CHUNK_UNAVAILABLE', chunk, `is out of reach: the disk is ${offline.state.status} (${offline.state.reason})`);
  }

  #error(
    code: 'CHUNK_DAMAGED' | 'CHUNK_UNAVAILABLE',
    chunk: ChunkEntry,
    what: string,
    facts: { expected?: string | number; found?: string | number } = {},
    cause?: unknown,
  ): StoreError {
    const { bucket, key, version, directory } = this.#meta;
    return new StoreError(
      code,
      `chunk ${String(chunk.order)} of ${bucket}/${key} on disk "${chunk.disk}" ${what} (${directory}/${chunk.file})`,
      { bucket, key, version, disk: chunk.disk, chunk: chunk.order, path: `${directory}/${chunk.file}`, ...facts },
      cause,
    );
  }
}
