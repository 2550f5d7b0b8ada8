import type { Disk } from '../../disks/disk.ts';
import type { DiskView } from '../../disks/disk-set.ts';
import { Rooms } from '../../disks/rooms.ts';
import type { ShardEntry } from '../../metadata/stripes.ts';
import type { StoreContext } from '../protocol/context.ts';
import type { Relocate } from './mend-stripe.ts';

/** Sends shards that can't stay where they are to the disk with the most room. */
export class Relocation implements Relocate {
  readonly #context: StoreContext;
  readonly #rooms: Rooms;
  readonly #online: readonly Disk[];

  protected constructor(context: StoreContext, online: readonly Disk[], rooms: Rooms) {
    this.#context = context;
    this.#online = online;
    this.#rooms = rooms;
  }

  static async of(context: StoreContext, { online }: DiskView): Promise<Relocation> {
    return new Relocation(context, online, await Rooms.of(online));
  }

  /** The disks that chunks may be put on: those that have been there all the while, and are still the store's. */
  protected get targets(): Disk[] {
    return this.#online.filter((disk) => this.#context.members.takesChunks(disk));
  }

  wants: Relocate['wants'] = () => false;

  choose(shard: ShardEntry, taken: ReadonlySet<string>): Disk | undefined {
    let best: Disk | undefined;
    for (const disk of this.targets) {
      if (taken.has(disk.name) || !this.hasRoom(disk, shard.size)) continue;
      if (best === undefined || this.#rooms.left(disk) > this.#rooms.left(best)) best = disk;
    }
    return best;
  }

  prepare(disk: Disk): Promise<void> {
    return this.#rooms.learn(disk);
  }

  hasRoom(disk: Disk, bytes: number): boolean {
    return this.#rooms.left(disk) >= bytes;
  }

  async wrote(disk: Disk, bytes: number): Promise<void> {
    await this.#rooms.take(disk, bytes);
  }
}
