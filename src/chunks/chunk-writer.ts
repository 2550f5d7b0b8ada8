import type { Disk } from '../disks/disk.ts';
import { Rooms } from '../disks/rooms.ts';
import { combine } from '../erasure/combine.ts';
import { recoveryMatrix } from '../erasure/matrix.ts';
import { isDiskFault, must, StoreError, throwIfAborted } from '../errors.ts';
import { CHUNK_SIZE, MAX_CHUNKS, type ChunkEntry, type ParityEntry } from '../metadata/meta.ts';
import type { Redundancy } from '../metadata/redundancy.ts';
import { chunkFile, fanOutOf, parityFile } from '../metadata/shard-file.ts';
import type { Budget, Release } from '../concurrency/budget.ts';
import type { BufferPool } from '../memory/buffer-pool.ts';
import { requireOnline, type FanOutFolders } from './fan-out-folders.ts';
import { placeStripe, startOf } from './placement.ts';
import { removeChunks } from './remove-chunks.ts';
import { sha256 } from './sha256.ts';
import { StripePlaces } from './stripe-places.ts';
import { StripeSource, type ReadStripe } from './stripe-source.ts';
import { runWorkers } from '../concurrency/workers.ts';
import type { ChunkSource } from './source.ts';
import { leastShards, loseShards, type WrittenChunks } from './written-chunks.ts';

export interface ChunkWriterOptions {
  /** The upload's, which is in the names of its files; locked by the caller until after the commit. */
  id: string;
  redundancy: Redundancy;
  /** Names of all disks that chunks may belong to, those that are away included; at least k+m. */
  belong: readonly string[];
  durable: boolean;
  /** Chunks in flight; with parity, a stripe is in flight as a whole, and about twice as many are. */
  concurrency: number;
  pool: BufferPool;
  /** Bytes of memory for what is being written; one stripe that is being read is not counted. */
  budget: Budget;
  folders: FanOutFolders;
  signal?: AbortSignal | undefined;
  onBytes?: ((bytes: number) => void) | undefined;
}

/** Writes the chunks of one upload and their parity: cuts, hashes, places, and makes durable. */
export class ChunkWriter {
  readonly #options: ChunkWriterOptions;
  readonly #start: number;
  /** k, or 1 where there is no parity: then chunks have nothing to do with one another. */
  readonly #width: number;
  /** Disks that still take chunks. */
  #disks: Disk[];
  #rooms: Rooms | undefined;
  #weights: number[] = [];
  /** The disks that the weights are about. */
  readonly #all: readonly Disk[];
  /** Looks whether disks are still themselves, before the first chunk goes to each. */
  readonly #looks = new Map<Disk, Promise<void>>();
  readonly #written: WrittenChunks = { chunks: [], parity: [], unwritten: [] };
  readonly #failures = new Map<Disk, StoreError>();

  /** @param disks that are there and take chunks */
  constructor(disks: readonly Disk[], options: ChunkWriterOptions) {
    this.#all = disks;
    this.#disks = [...disks];
    this.#options = options;
    this.#start = startOf(options.id);
    this.#width = options.redundancy.parity === 0 ? 1 : options.redundancy.data;
  }

  /** Disks that failed to take a chunk, with their errors; their chunks went elsewhere. */
  get failures(): ReadonlyMap<Disk, StoreError> {
    return this.#failures;
  }

  /**
   * Writes everything that the source has. When it resolves, every chunk and the name of every chunk is durable.
   * @throws the disks' error when too few are left to write to, the source's errors, ABORTED
   */
  async write(source: ChunkSource): Promise<WrittenChunks> {
    const { concurrency, pool, budget, signal, redundancy } = this.#options;
    this.#rooms = await Rooms.of(this.#all);
    this.#weights = this.#all.map((disk) => Math.min(this.#room(disk), Number.MAX_SAFE_INTEGER));
    const stripes = new StripeSource(source, signal);
    const chunksAtMost = Math.ceil((source.size ?? Infinity) / CHUNK_SIZE) || 1;
    const perStripe = Math.min(this.#width, chunksAtMost);
    const shards = this.#width + redundancy.parity;
    const size = Math.min(CHUNK_SIZE, source.size ?? CHUNK_SIZE);
    // A stripe's parity comes last: while that is written, others must be at work.
    const inFlight =
      shards === 1 || concurrency === 1 ? concurrency : Math.max(2, Math.ceil((2 * concurrency) / shards));
    try {
      await runWorkers(Math.min(inFlight, Math.ceil(chunksAtMost / this.#width)), async () => {
        throwIfAborted(signal);
        const buffers: Buffer[] = [];
        const shares: Release[] = [];
        const take = (): Buffer => {
          const buffer = pool.take(size);
          buffers.push(buffer);
          return buffer;
        };
        const admit = async (chunks: number): Promise<void> => {
          const parity = chunks === 1 ? 0 : redundancy.parity;
          shares.push(await budget.take((chunks + parity) * pool.cost(size)));
        };
        try {
          const stripe = await stripes.next(perStripe, take, admit);
          if (stripe.chunks.length > 0) await this.#writeStripe(stripe);
          return stripe.chunks.length === perStripe;
        } finally {
          for (const buffer of buffers) pool.give(buffer);
          for (const release of shares) release();
        }
      });
    } finally {
      // An aborted source fails as streams do; what matters is that it was aborted.
      throwIfAborted(signal);
    }
    await this.#makeNamesDurable();
    const firstOf = ({ protects }: ParityEntry): number => must(protects[0], 'chunk that parity protects');
    this.#written.parity.sort((a, b) => firstOf(a) - firstOf(b) || a.row - b.row);
    return this.#written;
  }

  /** Removes everything that was written. What can't be removed is left for `gc`. */
  async discard(): Promise<void> {
    // A write that failed may have left gaps in the list.
    const chunks = this.#written.chunks.filter((chunk: ChunkEntry | undefined) => chunk !== undefined);
    await removeChunks(this.#all, [...chunks, ...this.#written.parity]);
  }

  async #writeStripe(stripe: ReadStripe): Promise<void> {
    const { id, pool, redundancy } = this.#options;
    const { chunks } = stripe;
    const [first, last] = [must(chunks[0], 'chunk in a stripe'), must(chunks.at(-1), 'chunk in a stripe')];
    if ((last.order + 1) * (1 + redundancy.parity / this.#width) > MAX_CHUNKS) {
      const most = `${MAX_CHUNKS} chunks of ${CHUNK_SIZE} bytes`;
      throw new StoreError('BAD_SOURCE', `an object has at most ${most}, parity included`);
    }
    const places = new StripePlaces(this.#orderedDisks(stripe.index, chunks.length + redundancy.parity));
    const writes = chunks.map(async ({ order, bytes, sha256 }) => {
      const file = chunkFile(id, order);
      const disk = await this.#writeShard(places, file, bytes);
      const content = { file, size: bytes.length, sha256: await sha256 };
      this.#written.chunks[order] = { order, disk: disk ?? this.#belonging(places, stripe.index), ...content };
      if (disk === undefined) this.#written.unwritten.push(this.#written.chunks[order]);
      this.#options.onBytes?.(bytes.length);
      return disk;
    });
    const protects = chunks.map(({ order }) => order);
    const buffers: Buffer[] = [];
    try {
      const parity = this.#computeParity(
        chunks.map(({ bytes }) => bytes),
        (size) => {
          const buffer = pool.take(size);
          buffers.push(buffer);
          return buffer.subarray(0, size);
        },
      );
      parity.forEach((bytes, row) => {
        const file = parityFile(id, first.order, row);
        // A stripe of one chunk has copies of it.
        const checksum = chunks.length === 1 ? first.sha256 : sha256(bytes);
        writes.push(
          this.#writeShard(places, file, bytes).then(async (disk) => {
            const content = { file, size: bytes.length, sha256: await checksum };
            const entry = { protects, row, disk: disk ?? this.#belonging(places, stripe.index), ...content };
            this.#written.parity.push(entry);
            if (disk === undefined) this.#written.unwritten.push(entry);
            return disk;
          }),
        );
      });
    } finally {
      // Nobody may use the buffers before all is at rest, whatever fails.
      await Promise.allSettled(writes);
      for (const buffer of buffers) pool.give(buffer);
    }
    const written = (await Promise.all(writes)).filter((disk) => disk !== undefined).length;
    if (written < leastShards(chunks.length, redundancy.parity)) throw this.#tooFew();
  }

  #computeParity(data: readonly Uint8Array[], take: (size: number) => Buffer): Uint8Array[] {
    const { parity } = this.#options.redundancy;
    const [only] = data;
    if (data.length === 1 && only !== undefined) return Array.from({ length: parity }, () => only);
    if (parity === 0) return [];
    const size = Math.max(...data.map((bytes) => bytes.length));
    const outputs = Array.from({ length: parity }, () => take(size));
    const rows = outputs.map((_, row) => data.length + row);
    combine(recoveryMatrix(data.length, [...data.keys()], rows), data, outputs);
    return outputs;
  }

  /** All disks in the order in which a stripe of so many shards prefers them; the others take turns to stand in. */
  #orderedDisks(stripe: number, shards: number): Disk[] {
    const chosen = placeStripe(this.#start, stripe, shards, this.#weights);
    const others = [...this.#all.keys()].filter((index) => !chosen.includes(index));
    const turn = Math.floor((this.#start + stripe) / this.#all.length) % (others.length || 1);
    const order = [...chosen, ...others.slice(turn), ...others.slice(0, turn)];
    return order.map((index) => must(this.#all[index], 'disk that was chosen'));
  }

  /** Writes a shard to the first disk that has none of its stripe and can take it; tells which, or that there is none. */
  async #writeShard(places: StripePlaces, file: string, bytes: Uint8Array): Promise<string | undefined> {
    const { folders, durable } = this.#options;
    for (;;) {
      const disk = places.take((candidate) => this.#disks.includes(candidate) && this.#room(candidate) >= bytes.length);
      if (disk === undefined) return undefined;
      try {
        await must(this.#rooms, 'room').take(disk, bytes.length);
        await this.#lookAt(disk);
        await folders.create(disk, file, bytes, { durable });
        return disk.name;
      } catch (error) {
        if (!isDiskFault(error)) throw error;
        this.#failures.set(disk, error);
        this.#disks = this.#disks.filter((candidate) => candidate !== disk);
        places.release(disk.name);
      }
    }
  }

  #room(disk: Disk): number {
    return must(this.#rooms, 'room').left(disk);
  }

  /** Where a shard belongs that no disk could take: on one that has no other of its stripe. */
  #belonging(places: StripePlaces, stripe: number): string {
    const free = this.#options.belong.filter((name) => !places.has(name));
    const name = must(free[(this.#start + stripe) % free.length], 'disk without a shard of the stripe');
    places.reserve(name);
    return name;
  }

  #tooFew(): StoreError {
    const errors = [...this.#failures.values()];
    const error = errors.find(({ code }) => code !== 'DISK_FULL') ?? errors[0];
    if (error !== undefined) return error;
    const full = this.#all.filter((disk) => this.#room(disk) < CHUNK_SIZE).map(({ name }) => name);
    const [first] = full;
    if (first === undefined) return new StoreError('TOO_FEW_DISKS_TO_WRITE', 'there are too few disks to write to');
    const disks = `${full.map((name) => `"${name}"`).join(', ')} ${full.length === 1 ? 'is' : 'are'}`;
    const words = `too few disks have room for chunks: ${disks} full, up to the reserve for metas`;
    return new StoreError('DISK_FULL', words, { disk: first, disks: full });
  }

  #lookAt(disk: Disk): Promise<void> {
    let look = this.#looks.get(disk);
    if (look === undefined) {
      look = requireOnline(disk);
      this.#looks.set(disk, look);
    }
    return look;
  }

  /** The disks with a shard on them. */
  #used(): Disk[] {
    const { chunks, parity, unwritten } = this.#written;
    const lost = new Set(unwritten);
    const names = new Set([...chunks, ...parity].filter((shard) => !lost.has(shard)).map(({ disk }) => disk));
    return this.#all.filter(({ name }) => names.has(name));
  }

  /** What is on a disk that can't make its names durable counts as not written. @throws its error if too little is left */
  async #makeNamesDurable(): Promise<void> {
    const { id, folders, durable } = this.#options;
    if (!durable) return;
    const failed: Disk[] = [];
    await Promise.all(
      this.#used().map(async (disk) => {
        try {
          await folders.sync(disk, fanOutOf(id));
        } catch (error) {
          if (!isDiskFault(error)) throw error;
          this.#failures.set(disk, error);
          failed.push(disk);
        }
      }),
    );
    const { chunks, parity } = this.#written;
    const isLost = ({ disk }: { disk: string }): boolean => failed.some(({ name }) => name === disk);
    if (loseShards(this.#written, isLost) !== undefined) throw this.#tooFew();
    // Whoever finds them later must not take them for safe.
    if (failed.length > 0) await removeChunks(failed, [...chunks, ...parity].filter(isLost));
  }
}
