import { Throttle } from '../../concurrency/throttle.ts';
import { forEachAtOnce } from '../../concurrency/workers.ts';
import type { DiskView } from '../../disks/disk-set.ts';
import { diskFault, isStoreError, throwIfAborted } from '../../errors.ts';
import type { Address } from '../../metadata/names.ts';
import type { StoreContext } from '../protocol/context.ts';
import type { ObjectHealth } from './diagnosis.ts';
import { examine } from './examine.ts';
import { mend, type Mended } from './mend.ts';
import type { MendOptions } from './mend-stripe.ts';
import { isSmall, mendTogether } from './mend-together.ts';
import type { Obstacles } from './obstacles.ts';
import { Relocation } from './relocation.ts';

/** An object, and its size in bytes as far as that is known. */
export interface SizedAddress extends Address {
  size: number | undefined;
}

export interface ObjectHealerOptions {
  obstacles: Obstacles;
  /** Bytes a second, read and written, at most. */
  rate?: number | undefined;
  signal?: AbortSignal | undefined;
  /** Called with the size of chunks and parity chunks that are done with. */
  onBytes: (bytes: number) => void;
}

/** Bytes of objects that are mended together, at most; and so many objects. */
const GROUP = 2 * 1024 * 1024;
const MOST = 256;

/** Fewer than so many are as fast by themselves. */
const LEAST = 4;

/** Groups that are mended side by side. */
const GROUPS_AT_ONCE = 2;

/** Objects that are mended side by side, where each is mended by itself. */
const AT_ONCE = 3;

/** Mends the objects of a store, small ones together, and counts what that came to. */
export class ObjectHealer {
  readonly done = { rebuilt: 0, rebuiltBytes: 0, moved: 0, movedBytes: 0 };
  /** What could not be done, in words. */
  readonly failed: string[] = [];
  readonly #context: StoreContext;
  readonly #view: DiskView;
  readonly #obstacles: Obstacles;
  readonly #options: MendOptions;

  private constructor(context: StoreContext, view: DiskView, obstacles: Obstacles, options: MendOptions) {
    this.#context = context;
    this.#view = view;
    this.#obstacles = obstacles;
    this.#options = options;
  }

  static async of(
    context: StoreContext,
    view: DiskView,
    { obstacles, rate, signal, onBytes }: ObjectHealerOptions,
  ): Promise<ObjectHealer> {
    const relocate = await Relocation.of(context, view);
    const options = { throttle: new Throttle(rate), relocate, movesOnly: false, signal, onBytes };
    return new ObjectHealer(context, view, obstacles, options);
  }

  /** Mends objects. @returns how each is now, in their order; undefined where there is no such object */
  async heal(objects: readonly SizedAddress[]): Promise<(ObjectHealth | undefined)[]> {
    const healths = new Map<SizedAddress, ObjectHealth | undefined>();
    const alone = await this.healTogether(objects, (object, health) => healths.set(object, health));
    await forEachAtOnce(alone, AT_ONCE, async (object) => {
      healths.set(object, await this.healAlone(object));
    });
    return objects.map((object) => healths.get(object));
  }

  /**
   * Mends those of the objects together that can be; it waits for nobody who is at work on one of them.
   * @param take gets each of them, with its health, when its group is done
   * @returns the others, in their order: they have to be mended by themselves
   */
  async healTogether<T extends SizedAddress>(
    objects: readonly T[],
    take: (object: T, health: ObjectHealth) => unknown,
  ): Promise<T[]> {
    const done = new Set<T>();
    await forEachAtOnce(this.groupsOf(objects), GROUPS_AT_ONCE, async (group) => {
      const healths = await this.#mendGroup(group);
      for (const [index, object] of group.entries()) {
        const health = healths[index];
        if (health === undefined) continue;
        done.add(object);
        await take(object, health);
      }
    });
    return objects.filter((object) => !done.has(object));
  }

  /** The small ones among objects, in groups that are mended together. */
  groupsOf<T extends SizedAddress>(objects: readonly T[]): T[][] {
    const groups: T[][] = [];
    let bytes = 0;
    for (const object of objects) {
      const { size } = object;
      if (size === undefined || !isSmall(this.#context, size)) continue;
      const last = groups.at(-1);
      if (last === undefined || last.length === MOST || bytes + size > GROUP) {
        groups.push([object]);
        bytes = size;
      } else {
        last.push(object);
        bytes += size;
      }
    }
    return groups.filter(({ length }) => length >= LEAST);
  }

  /** Mends an object by itself. @returns how it is now; undefined where there is no such object */
  async healAlone({ bucket, key }: Address): Promise<ObjectHealth | undefined> {
    const [context, options] = [this.#context, this.#options];
    throwIfAborted(options.signal);
    try {
      let mended = this.#count(await mend(context, bucket, key, options));
      if (await this.#openChunks(mended.health)) mended = this.#count(await mend(context, bucket, key, options));
      this.failed.push(...mended.failed);
      return mended.health;
    } catch (error) {
      // One object that can't be mended must not keep the others waiting.
      this.failed.push(diskFault(error).message);
      return examine(context, bucket, key, { quick: false, signal: options.signal });
    }
  }

  /** The health of those of the group that have been mended together. */
  async #mendGroup(group: readonly SizedAddress[]): Promise<(ObjectHealth | undefined)[]> {
    throwIfAborted(this.#options.signal);
    try {
      const { healths, rebuilt, rebuiltBytes } = await mendTogether(this.#context, group, this.#options);
      this.done.rebuilt += rebuilt;
      this.done.rebuiltBytes += rebuiltBytes;
      return healths;
    } catch (error) {
      // What has kept all of them from being mended is told of each that it keeps from it by itself.
      if (isStoreError(error)) return [];
      throw error;
    }
  }

  #count(mended: Mended): Mended {
    for (const name of ['rebuilt', 'rebuiltBytes', 'moved', 'movedBytes'] as const) this.done[name] += mended[name];
    return mended;
  }

  /** Opens chunks' files that could not be read; tells whether any was closed. */
  async #openChunks(health: ObjectHealth | undefined): Promise<boolean> {
    const { online } = this.#view;
    let isOpened = false;
    for (const { part, disk: name, path, state } of health?.problems ?? []) {
      const disk = online.find((candidate) => candidate.name === name);
      if (part === 'meta' || state === 'leaving' || disk === undefined) continue;
      if (await this.#obstacles.openChunk(disk, path)) isOpened = true;
    }
    return isOpened;
  }
}
