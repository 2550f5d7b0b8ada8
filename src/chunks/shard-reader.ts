import type { Disk, ReadOptions, StatOutcome } from '../disks/disk.ts';
import type { DiskView } from '../disks/disk-set.ts';
import { diskFault, isDiskFault, StoreError, type ErrorDetails, type Fault, type Perhaps } from '../errors.ts';
import { isParity, nameShard, type ShardEntry } from '../metadata/stripes.ts';
import type { ObjectMeta } from '../metadata/meta.ts';
import { sha256, sha256Moving } from './sha256.ts';

/** What an error may say beside which shard it is about. */
type Facts = Perhaps<Pick<ErrorDetails, 'expected' | 'found' | 'errno'>>;

/** Reads chunks and parity chunks of one object version, each from its disk, and checks what comes. */
export class ShardReader {
  readonly #meta: ObjectMeta;
  readonly #view: DiskView;

  constructor(meta: ObjectMeta, view: DiskView) {
    this.#meta = meta;
    this.#view = view;
  }

  isOnline(shard: Pick<ShardEntry, 'disk'>): boolean {
    return this.#find(shard) !== undefined;
  }

  /** Whether its disk has lately kept a reader waiting. */
  isSlow(shard: ShardEntry): boolean {
    return this.#find(shard)?.isSlow === true;
  }

  /** The disk of a shard. @throws CHUNK_UNAVAILABLE where it is not there */
  diskOf(shard: ShardEntry): Disk {
    const found = this.#find(shard);
    if (found !== undefined) return found;
    const offline = this.#view.offline.find(({ disk }) => disk === shard.disk);
    const state = offline && `the disk is ${offline.state.status} (${offline.state.reason})`;
    throw this.error('offline', shard, `is out of reach: ${state ?? 'this store has no such disk'}`);
  }

  /**
   * A shard's bytes, read as `Disk.read` does: as many as it should have, not yet compared with its checksum.
   * @throws CHUNK_UNAVAILABLE, CHUNK_DAMAGED
   */
  async read(shard: ShardEntry, options: Omit<ReadOptions, 'limit'> = {}): Promise<Buffer> {
    const disk = this.diskOf(shard);
    let bytes: Buffer | undefined;
    try {
      bytes = await disk.read(shard.file, { ...options, limit: shard.size });
    } catch (error) {
      if (!isDiskFault(error)) throw error;
      if (error.details.fault === 'too-long') throw this.#tooLong(shard, {}, error);
      throw this.#unreadable(shard, error);
    }
    if (bytes === undefined) throw this.error('missing', shard, 'is missing');
    if (bytes.length !== shard.size) throw this.#wrongSize(shard, bytes.length);
    return bytes;
  }

  /** Compares bytes with the shard's SHA-256. @throws CHUNK_DAMAGED */
  async check(shard: ShardEntry, bytes: Uint8Array): Promise<void> {
    this.#compare(shard, await sha256(bytes));
  }

  /** The same of bytes whose memory is the caller's alone: they may come back in another place. @throws CHUNK_DAMAGED, OUT_OF_RESOURCES */
  async checkMoving(shard: ShardEntry, own: Buffer): Promise<Buffer> {
    const { sha256, bytes } = await sha256Moving(own);
    this.#compare(shard, sha256);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  #compare(shard: ShardEntry, found: string): void {
    if (found === shard.sha256) return;
    const facts = { expected: shard.sha256, found };
    throw this.error('damaged', shard, 'is damaged: its SHA-256 does not match', facts);
  }

  /** Looks whether the shard is there and as long as it should be. @throws CHUNK_UNAVAILABLE, CHUNK_DAMAGED */
  async checkPresence(shard: ShardEntry): Promise<void> {
    const disk = this.diskOf(shard);
    let outcome: StatOutcome;
    try {
      outcome = { stat: await disk.stat(shard.file) };
    } catch (error) {
      outcome = { error: diskFault(error) };
    }
    const fault = this.presenceFault(shard, outcome);
    if (fault !== undefined) throw fault;
  }

  /** CHUNK_UNAVAILABLE or CHUNK_DAMAGED where, by what its disk says of its file, the shard is not there, or not as long as it should be. */
  presenceFault(shard: ShardEntry, outcome: StatOutcome): StoreError | undefined {
    if ('error' in outcome) return this.#unreadable(shard, diskFault(outcome.error));
    const { stat } = outcome;
    if (stat === undefined) return this.error('missing', shard, 'is missing');
    if (!stat.isFile) return this.error('damaged', shard, 'is damaged: something else stands in its place');
    return stat.size === shard.size ? undefined : this.#wrongSize(shard, stat.size);
  }

  /** CHUNK_DAMAGED or CHUNK_UNAVAILABLE, as the fault is. */
  error(fault: Fault, shard: ShardEntry, what: string, facts: Facts = {}, cause?: unknown): StoreError {
    const { bucket, key, version } = this.#meta;
    const path = shard.file;
    const chunk = isParity(shard) ? undefined : shard.order;
    const details = { bucket, key, version, disk: shard.disk, chunk, path, fault, ...facts };
    const code = fault === 'damaged' || fault === 'too-long' ? 'CHUNK_DAMAGED' : 'CHUNK_UNAVAILABLE';
    const message = `${nameShard(shard)} of ${bucket}/${key} on disk "${shard.disk}" ${what} (${path})`;
    return new StoreError(code, message, details, cause);
  }

  #find({ disk: name }: Pick<ShardEntry, 'disk'>): Disk | undefined {
    return this.#view.online.find((disk) => disk.name === name);
  }

  #unreadable(shard: ShardEntry, cause: StoreError): StoreError {
    const { errno, fault = 'unreadable' } = cause.details;
    return this.error(fault, shard, `cannot be read: ${cause.message}`, { errno }, cause);
  }

  #wrongSize(shard: ShardEntry, found: number): StoreError {
    if (found > shard.size) return this.#tooLong(shard, { found });
    const what = `is damaged: it is only ${found} of ${shard.size} bytes long`;
    return this.error('damaged', shard, what, { expected: shard.size, found });
  }

  #tooLong(shard: ShardEntry, facts: Facts, cause?: unknown): StoreError {
    return this.error('too-long', shard, 'is damaged: it is too long', { expected: shard.size, ...facts }, cause);
  }
}
