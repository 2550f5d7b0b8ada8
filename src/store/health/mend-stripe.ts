import type { ShardReader } from '../../chunks/shard-reader.ts';
import { StripeInspector } from '../../chunks/stripe-inspector.ts';
import type { Throttle } from '../../concurrency/throttle.ts';
import type { Disk } from '../../disks/disk.ts';
import { diskFault, StoreError } from '../../errors.ts';
import type { ObjectMeta } from '../../metadata/meta.ts';
import { nameShard, shardsOf, type ShardEntry, type Stripe } from '../../metadata/stripes.ts';
import type { StoreContext } from '../protocol/context.ts';
import { mustLeave } from './diagnosis.ts';
import type { ShardFiles } from './shard-files.ts';

/** Decides where shards go that can't or shouldn't stay. */
export interface Relocate {
  /** Whether a shard that is whole has to move. */
  wants: (stripe: Stripe, shard: ShardEntry) => boolean;
  /** The disk for a shard, none of `taken`; undefined where there is none with room. */
  choose: (shard: ShardEntry, taken: ReadonlySet<string>) => Disk | undefined;
  /** Told of what has been written where. */
  wrote: (disk: Disk, bytes: number) => Promise<void>;
  /** Learns of the room of a disk that may have come since it was made. */
  prepare: (disk: Disk) => Promise<void>;
  /** Whether a disk has room for a shard. */
  hasRoom: (disk: Disk, bytes: number) => boolean;
}

export interface MendOptions {
  throttle: Throttle;
  /** Read only the stripes of which something has to move, and only as much of them as that takes. */
  movesOnly: boolean;
  relocate: Relocate;
  signal?: AbortSignal | undefined;
  /** Called with the sizes of a stripe's shards, or of those that have to move, when it is done with. */
  onBytes?: ((bytes: number) => void) | undefined;
}

/** What has become of a stripe. */
export interface MendedStripe {
  /** What is still wrong; and what was wrong with shards that have moved, until the meta says so. */
  faults: Map<ShardEntry, StoreError>;
  /** Shards that are whole again where they were. */
  repaired: ShardEntry[];
  /** Shards that are whole on another disk; the meta does not say so yet. */
  moves: Map<ShardEntry, Disk>;
  failed: string[];
  /** Bytes that were written, and read back. */
  written: number;
}

/** Mends the stripes of one version. */
export class StripeMender {
  readonly #context: StoreContext;
  readonly #meta: ObjectMeta;
  readonly #reader: ShardReader;
  readonly #files: ShardFiles;
  readonly #options: MendOptions;

  constructor(
    context: StoreContext,
    { meta, reader, files }: { meta: ObjectMeta; reader: ShardReader; files: ShardFiles },
    options: MendOptions,
  ) {
    this.#context = context;
    this.#meta = meta;
    this.#reader = reader;
    this.#files = files;
    this.#options = options;
  }

  async mend(stripe: Stripe): Promise<MendedStripe> {
    const result: MendedStripe = { faults: new Map(), repaired: [], moves: new Map(), failed: [], written: 0 };
    const shards = shardsOf(stripe);
    const { movesOnly, relocate, throttle, signal } = this.#options;
    const { pool, budget } = this.#context;
    const leaving = shards.filter((shard) => mustLeave(this.#context, shard) || relocate.wants(stripe, shard));
    if (movesOnly && leaving.length === 0) return result;
    const looked = movesOnly ? leaving : shards;
    const bytes = looked.reduce((sum, { size }) => sum + size, 0);
    await throttle.take(bytes, signal);
    // All of them, and one more to read back what is written.
    const cost = Math.max(...shards.map(({ size }) => pool.cost(size + 1))) * (shards.length + 1);
    await budget.spend(cost, async () => {
      const inspector = new StripeInspector(stripe, this.#reader, pool);
      try {
        await inspector.look(looked);
        if (movesOnly && leaving.some((shard) => inspector.faults.has(shard))) await inspector.look(shards);
        result.faults = new Map(inspector.faults);
        await this.#repair(stripe, inspector, leaving, result);
      } finally {
        inspector.close();
      }
    });
    for (const { size } of looked) this.#options.onBytes?.(size);
    result.written = [...result.repaired, ...result.moves.keys()].reduce((sum, { size }) => sum + 2 * size, 0);
    return result;
  }

  #nameOf(shard: ShardEntry): string {
    return `${nameShard(shard)} of ${this.#meta.bucket}/${this.#meta.key}`;
  }

  async #repair(
    stripe: Stripe,
    inspector: StripeInspector,
    leaving: readonly ShardEntry[],
    result: MendedStripe,
  ): Promise<void> {
    const faulty = [...inspector.faults.keys()].filter(
      (shard) => this.#reader.isOnline(shard) || mustLeave(this.#context, shard),
    );
    const computed = faulty.length > 0 && inspector.isRecoverable && (await this.#compute(inspector, faulty, result));
    const taken = new Set(shardsOf(stripe).map(({ disk }) => disk));
    // Whoever chooses has looked at the disks earlier than we have: one of them may owe a change of this very file.
    for (const { name } of this.#context.disks.disks) if (!this.#reader.isOnline({ disk: name })) taken.add(name);
    for (const shard of new Set([...faulty, ...leaving])) {
      const fault = inspector.faults.get(shard);
      const isComputed = computed && faulty.includes(shard);
      if (fault === undefined || isComputed)
        await this.#place({ shard, bytes: inspector.bytesOf(shard), isFaulty: isComputed }, taken, result);
      else if (leaving.includes(shard))
        result.failed.push(
          `${fault.message}, and too little is left to compute it; bring it back, upload the object again, or delete it`,
        );
    }
  }

  async #compute(inspector: StripeInspector, faulty: readonly ShardEntry[], result: MendedStripe): Promise<boolean> {
    try {
      await inspector.compute(faulty);
      return true;
    } catch (error) {
      result.failed.push(`what was computed is wrong: ${diskFault(error).message}`);
      return false;
    }
  }

  /** Writes a shard where it belongs, or where it is to be from now on. */
  async #place(
    { shard, bytes, isFaulty }: { shard: ShardEntry; bytes: Buffer; isFaulty: boolean },
    taken: Set<string>,
    result: MendedStripe,
  ): Promise<void> {
    const { relocate } = this.#options;
    const home = isFaulty && !mustLeave(this.#context, shard) ? this.#reader.diskOf(shard) : undefined;
    if (home !== undefined) await relocate.prepare(home);
    if (home !== undefined && relocate.hasRoom(home, shard.size)) {
      if (!(await this.#write(home, shard, bytes, result))) return;
      result.faults.delete(shard);
      result.repaired.push(shard);
      return;
    }
    const disk = relocate.choose(shard, taken);
    if (disk === undefined) {
      if (isFaulty || mustLeave(this.#context, shard))
        result.failed.push(`no other disk has room for ${this.#nameOf(shard)}`);
      return;
    }
    taken.add(disk.name);
    if (await this.#write(disk, shard, bytes, result)) result.moves.set(shard, disk);
  }

  /** Writes a shard and reads it back; tells whether it is there and right. */
  async #write(disk: Disk, shard: ShardEntry, bytes: Buffer, result: MendedStripe): Promise<boolean> {
    const { pool } = this.#context;
    const buffer = pool.take(shard.size + 1);
    let isWritten = false;
    try {
      await this.#options.relocate.wrote(disk, shard.size);
      await this.#files.write(disk, shard.file, bytes, disk.name === shard.disk);
      isWritten = true;
      const written = await disk.read(shard.file, { buffer, limit: shard.size, direct: true });
      // What is compared with has matched its checksum.
      if (written?.equals(bytes) === true) return true;
      const message = `disk "${disk.name}" does not give back what was written to it: ${this.#nameOf(shard)}`;
      throw new StoreError('DISK_IO', message, { disk: disk.name });
    } catch (error) {
      result.failed.push(diskFault(error).message);
      // Until it has been written, what lies there is not ours.
      if (isWritten) await this.#files.remove(disk, shard.file).catch(() => undefined);
      return false;
    } finally {
      pool.give(buffer);
    }
  }
}
