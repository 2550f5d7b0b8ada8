import { computeShards } from '../../chunks/compute-shards.ts';
import { presenceFaults } from '../../chunks/shard-presence.ts';
import { ShardReader } from '../../chunks/shard-reader.ts';
import { sha256Now } from '../../chunks/sha256.ts';
import { createSmallShards, readSmallShards, withoutSetAside, type NewShard } from '../../chunks/small-shards.ts';
import type { SoughtShard } from '../../chunks/sought-shards.ts';
import type { DiskView } from '../../disks/disk-set.ts';
import { must, type StoreError } from '../../errors.ts';
import { lockName } from '../../locks/locks.ts';
import type { Address } from '../../metadata/names.ts';
import { shardsOf, stripesOf, type ShardEntry, type Stripe } from '../../metadata/stripes.ts';
import type { StoreContext } from '../protocol/context.ts';
import { holdVersions, type HeldVersion } from '../protocol/hold-many.ts';
import { Operation } from '../protocol/operation.ts';
import { healthOf, mustLeave, type ObjectHealth } from './diagnosis.ts';
import type { MendOptions } from './mend-stripe.ts';

/** What was done to objects that are mended together. */
export interface MendedTogether {
  /** How each is now, in their order; undefined for one that has to be mended by itself: nothing is known against it. */
  healths: (ObjectHealth | undefined)[];
  /** Shards, and their bytes, that were missing and have been written, read back and found right. */
  rebuilt: number;
  rebuiltBytes: number;
}

/**
 * Whether an object of so many bytes may be mended together with others: its shards are read through the page cache in any
 * case. Larger ones are read past it, which calls for many files can't do.
 */
export function isSmall({ pool }: StoreContext, size: number): boolean {
  return !pool.isForDirect(size + 1);
}

/**
 * Makes small objects whole step by step as `mend` does, each step for all of them: so they share looks at the disks, threads and
 * syncs. It does what is mostly to be done, and goes well: all shards are read and found right, or they are missing, can be
 * computed, and their disk takes them. Whatever is odd about an object leaves that to be mended by itself.
 * @param objects each of them once
 */
export async function mendTogether(
  context: StoreContext,
  objects: readonly Address[],
  options: MendOptions,
): Promise<MendedTogether> {
  return Operation.run(context, { signal: options.signal }, async (operation) => {
    const { session } = operation;
    const { view, versions } = await holdVersions(context, objects, {
      session,
      view: operation.view,
      alone: ({ version }) => lockName.mend(version),
      narrow: (began) => context.disks.narrow(began),
    });
    const tasks = versions.map((version) => (version === undefined ? undefined : new Task(version, view)));
    const open = tasks.filter((task) => task !== undefined);
    const { rebuilt, rebuiltBytes } = await new MendingTogether(operation, open, options).run();
    const healths = tasks.map((task) => (task?.isOdd === false ? task.healthIn(context) : undefined));
    return { healths, rebuilt, rebuiltBytes };
  });
}

/** An object on its way. */
class Task {
  readonly #version: HeldVersion;
  readonly #view: DiskView;
  readonly stripes: readonly Stripe[];
  /** What is wrong with its shards. */
  readonly faults = new Map<ShardEntry, StoreError>();
  readonly sought: readonly SoughtShard[];
  /** Has to be mended by itself. */
  isOdd = false;

  constructor(version: HeldVersion, view: DiskView) {
    this.#version = version;
    this.#view = view;
    this.stripes = stripesOf(version.meta);
    const reader = new ShardReader(version.meta, view);
    this.sought = this.stripes.flatMap(shardsOf).map((shard) => ({ shard, reader }));
  }

  get size(): number {
    return this.#version.meta.size;
  }

  /** Bytes of all of its shards. */
  get bytes(): number {
    return this.sought.reduce((sum, { shard }) => sum + shard.size, 0);
  }

  healthIn(context: StoreContext): ObjectHealth {
    const faultOf = (shard: ShardEntry): StoreError | undefined => this.faults.get(shard);
    return healthOf(context, this.#view, { ...this.#version, faultOf });
  }
}

/** A shard that is to be written again. */
interface Computed extends NewShard {
  task: Task;
}

class MendingTogether {
  readonly #operation: Operation;
  readonly #tasks: readonly Task[];
  readonly #options: MendOptions;

  constructor(operation: Operation, tasks: readonly Task[], options: MendOptions) {
    this.#operation = operation;
    this.#tasks = tasks;
    this.#options = options;
  }

  async run(): Promise<Omit<MendedTogether, 'healths'>> {
    const { context, signal } = this.#operation;
    const { throttle, onBytes } = this.#options;
    for (const task of this.#tasks) task.isOdd = !this.#isToStay(task);
    const bytes = this.#plain.reduce((sum, task) => sum + task.bytes, 0);
    await throttle.take(bytes, signal);
    // Each shard once, and once more to read back those that are written.
    const rebuilt = await context.budget.spend(2 * bytes, async () => {
      await this.#look();
      return this.#write(await this.#compute());
    });
    const rebuiltBytes = rebuilt.reduce((sum, { size }) => sum + size, 0);
    await throttle.take(2 * rebuiltBytes, signal);
    for (const task of this.#plain) for (const { shard } of task.sought) onBytes?.(shard.size);
    return { rebuilt: rebuilt.length, rebuiltBytes };
  }

  /** The objects about which nothing odd has been found. */
  get #plain(): Task[] {
    return this.#tasks.filter(({ isOdd }) => !isOdd);
  }

  #isToStay(task: Task): boolean {
    const { context } = this.#operation;
    const { relocate } = this.#options;
    const isLeaving = (stripe: Stripe): boolean =>
      shardsOf(stripe).some((shard) => mustLeave(context, shard) || relocate.wants(stripe, shard));
    return isSmall(context, task.size) && !task.stripes.some(isLeaving);
  }

  /** Finds out which shards are missing; those of a disk that is away can't be helped. */
  async #look(): Promise<void> {
    const sought = this.#plain.flatMap((task) => task.sought);
    const faults = await presenceFaults(sought);
    // What was set aside beside a shard waits for that to be proven right, and then goes.
    const clean = await withoutSetAside(sought);
    for (const task of this.#plain) {
      for (const { shard, reader } of task.sought) {
        const error = faults.get(shard);
        if (error !== undefined) task.faults.set(shard, error);
        const isOrdinary = ['missing', 'offline', undefined].includes(error?.details.fault);
        if (!isOrdinary || (reader.isOnline(shard) && !clean.has(shard))) task.isOdd = true;
      }
    }
  }

  /** Reads all shards that are there, and computes those that are missing. */
  async #compute(): Promise<Computed[]> {
    const there = this.#plain.flatMap(({ sought, faults }) => sought.filter(({ shard }) => !faults.has(shard)));
    const contents = await readSmallShards(there);
    const all: Computed[] = [];
    for (const task of this.#plain) {
      const isRead = task.sought.every(({ shard }) => task.faults.has(shard) || contents.has(shard));
      const computed = isRead ? task.stripes.map((stripe) => computeMissing(task, stripe, contents)) : [undefined];
      if (computed.includes(undefined)) task.isOdd = true;
      else all.push(...computed.flatMap((shards) => shards ?? []));
    }
    return all;
  }

  /**
   * Writes shards and reads them back. A shard of this size is read from the page cache, whoever reads it back: that it comes
   * proves that it is to be found under its name, on its disk, with the right bytes. That they are on the medium too, the
   * sync has said that comes before.
   * @returns those that are there again
   */
  async #write(computed: readonly Computed[]): Promise<ShardEntry[]> {
    const ready: Computed[] = [];
    for (const one of computed) {
      if (await this.#hasRoom(one)) ready.push(one);
      else one.task.isOdd = true;
    }
    const created = await createSmallShards(ready, this.#operation.durable);
    const written = ready.filter(({ shard }) => created.has(shard));
    const proven = await readSmallShards(written);
    for (const { task, shard } of ready) {
      if (proven.has(shard)) task.faults.delete(shard);
      else task.isOdd = true;
    }
    return [...proven.keys()];
  }

  /** Counts a shard as written to its disk, if that has room for it. */
  async #hasRoom({ shard, reader }: Computed): Promise<boolean> {
    const { relocate } = this.#options;
    const disk = reader.diskOf(shard);
    await relocate.prepare(disk);
    if (!relocate.hasRoom(disk, shard.size)) return false;
    await relocate.wrote(disk, shard.size);
    return true;
  }
}

/** The shards of a stripe that are missing from disks that are there; undefined where they can't be computed. */
function computeMissing(task: Task, stripe: Stripe, contents: ReadonlyMap<ShardEntry, Buffer>): Computed[] | undefined {
  const shards = shardsOf(stripe);
  const missing = task.sought.filter(
    ({ shard, reader }) => shards.includes(shard) && task.faults.has(shard) && reader.isOnline(shard),
  );
  if (missing.length === 0) return [];
  const whole = shards.filter((shard) => contents.has(shard)).slice(0, stripe.chunks.length);
  if (whole.length < stripe.chunks.length) return undefined;
  const computed = missing.map((one) => ({ ...one, task, bytes: Buffer.allocUnsafe(one.shard.size) }));
  const sources = whole.map((shard) => ({ shard, bytes: must(contents.get(shard), 'bytes') }));
  computeShards(stripe, sources, computed);
  return computed.every(({ shard, bytes }) => sha256Now(bytes) === shard.sha256) ? computed : undefined;
}
