import { hash } from 'node:crypto';
import type { Disk } from '../disks/disk.ts';
import { isStoreError, StoreError, throwIfAborted } from '../errors.ts';
import { CHUNK_SIZE, CHUNKS_FOLDER, chunkFile, MAX_CHUNKS, type ChunkEntry } from '../metadata/meta.ts';
import type { BufferPool } from './buffer-pool.ts';
import { placeShard, startOf } from './placement.ts';
import { removeChunks } from './remove-chunks.ts';
import { runWorkers } from './workers.ts';
import type { ChunkSource } from './source.ts';

export interface ChunkWriterOptions {
  /** Names the folder of the chunks on each disk; locked by the caller until after the commit. */
  id: string;
  durable: boolean;
  /** Chunks in flight at most. */
  concurrency: number;
  pool: BufferPool;
  signal?: AbortSignal | undefined;
  onBytes?: ((bytes: number) => void) | undefined;
}

/** Writes the chunks of one version: cuts, hashes, places, and makes durable. */
export class ChunkWriter {
  readonly #options: ChunkWriterOptions;
  readonly #folder: string;
  /** Disks that still take chunks. */
  #disks: Disk[];
  /** Disks on which the version's folder is being made, or has been. */
  readonly #folders = new Map<Disk, Promise<void>>();
  readonly #chunks: ChunkEntry[] = [];
  readonly #failures = new Map<Disk, StoreError>();

  constructor(disks: readonly Disk[], options: ChunkWriterOptions) {
    this.#disks = [...disks];
    this.#options = options;
    this.#folder = `${CHUNKS_FOLDER}/${options.id}`;
  }

  /** Disks that failed to take a chunk, with their errors; their chunks went elsewhere. */
  get failures(): ReadonlyMap<Disk, StoreError> {
    return this.#failures;
  }

  /**
   * Writes everything that the source has. When it resolves, every chunk and the name of every chunk is durable.
   * @throws the disks' error when none is left to write to, the source's errors, ABORTED
   */
  async write(source: ChunkSource): Promise<ChunkEntry[]> {
    const { concurrency, pool, signal } = this.#options;
    let reading: Promise<unknown> = Promise.resolve();
    let ended = false;
    let order = 0;

    /** Chunks are read one after the other, and hashed and written side by side. */
    const next = (buffer: Buffer): Promise<{ bytes: Uint8Array; order: number } | undefined> => {
      const mine = reading.then(async () => {
        if (ended) return undefined;
        const bytes = await source.next(buffer.subarray(0, CHUNK_SIZE));
        ended = bytes.length === 0;
        return ended ? undefined : { bytes, order: order++ };
      });
      reading = mine.catch(() => {
        ended = true;
      });
      return mine;
    };

    const chunksAtMost = Math.ceil((source.size ?? Infinity) / CHUNK_SIZE) || 1;
    try {
      await runWorkers(Math.min(concurrency, chunksAtMost), async () => {
        throwIfAborted(signal);
        const buffer = pool.take(Math.min(CHUNK_SIZE, source.size ?? CHUNK_SIZE));
        try {
          const chunk = await next(buffer);
          if (chunk !== undefined) await this.#writeChunk(chunk.order, chunk.bytes);
          return chunk !== undefined;
        } finally {
          pool.give(buffer);
        }
      });
    } finally {
      // An aborted source fails as streams do; what matters is that it was aborted.
      throwIfAborted(signal);
    }
    await this.#makeNamesDurable();
    await this.#removeUnused();
    return this.#chunks;
  }

  /** Removes everything that was written. What can't be removed is left for `gc`. */
  async discard(): Promise<void> {
    // A write that failed may have left gaps in the list.
    const written = this.#chunks.filter((chunk: ChunkEntry | undefined) => chunk !== undefined);
    await removeChunks([...this.#folders.keys()], this.#folder, written);
  }

  async #writeChunk(order: number, bytes: Uint8Array): Promise<void> {
    if (order >= MAX_CHUNKS) {
      throw new StoreError('BAD_SOURCE', `an object has at most ${String(MAX_CHUNKS)} chunks of ${String(CHUNK_SIZE)} bytes`);
    }
    const sha256 = hash('sha256', bytes, 'hex');
    const file = chunkFile(order);
    for (;;) {
      const disk = this.#place(order);
      try {
        await this.#makeFolder(disk);
        await disk.create(`${this.#folder}/${file}`, bytes, { durable: this.#options.durable });
        this.#chunks[order] = { order, disk: disk.name, file, size: bytes.length, sha256 };
        this.#options.onBytes?.(bytes.length);
        return;
      } catch (error) {
        if (!isStoreError(error)) throw error;
        this.#failures.set(disk, error);
        this.#disks = this.#disks.filter((candidate) => candidate !== disk);
      }
    }
  }

  #place(order: number): Disk {
    const disk = this.#disks[placeShard(startOf(this.#options.id), order, 0, this.#disks.length)];
    if (disk !== undefined) return disk;
    const errors = [...this.#failures.values()];
    const error = errors.find(({ code }) => code !== 'DISK_FULL') ?? errors[0];
    throw error ?? new StoreError('TOO_FEW_DISKS_TO_WRITE', 'there is no disk to write to');
  }

  #makeFolder(disk: Disk): Promise<void> {
    let folder = this.#folders.get(disk);
    if (folder === undefined) {
      folder = this.#makeFolderOn(disk);
      this.#folders.set(disk, folder);
    }
    return folder;
  }

  async #makeFolderOn(disk: Disk): Promise<void> {
    const { status, reason } = await disk.state();
    if (status !== 'online') throw new StoreError('DISK_IO', `disk "${disk.name}" is ${status} (${reason})`, { disk: disk.name });
    await disk.makeFolder(this.#folder);
  }

  /** The disks with a folder for this version, by whether a chunk is in it. */
  #foldersWith(chunks: boolean): Disk[] {
    const used = new Set(this.#chunks.map((chunk) => chunk.disk));
    return [...this.#folders.keys()].filter((disk) => used.has(disk.name) === chunks);
  }

  /** A disk that refused its first chunk has an empty folder. */
  async #removeUnused(): Promise<void> {
    await Promise.all(this.#foldersWith(false).map((disk) => disk.removeFolder(this.#folder).catch(() => false)));
  }

  async #makeNamesDurable(): Promise<void> {
    if (!this.#options.durable) return;
    await Promise.all(
      this.#foldersWith(true).map(async (disk) => {
        await disk.syncFolder(this.#folder);
        await disk.syncFolder(CHUNKS_FOLDER);
      }),
    );
  }
}
