import type { Disk } from '../../disks/disk.ts';
import type { DiskView } from '../../disks/disk-set.ts';
import { Rooms } from '../../disks/rooms.ts';
import { must } from '../../errors.ts';
import { CHUNK_SIZE } from '../../metadata/meta.ts';
import { shardsOf, type ShardEntry, type Stripe } from '../../metadata/stripes.ts';
import type { StoreContext } from '../protocol/context.ts';
import { moveAll, type MoveOptions, type MoveReport } from './move.ts';
import { Relocation } from '../health/relocation.ts';
import { usage } from './usage.ts';

/** Part of a disk's average share. */
const TOLERANCE = 0.01;

/** What a pass leaves where it is, because of a stripe's other shards or of those still in flight, a later one can often move. */
const PASSES = 4;

/** Moves shards until every disk has its share, as far as stripes allow. */
export async function rebalance(context: StoreContext, options: MoveOptions): Promise<MoveReport> {
  const report: MoveReport = { moved: 0, movedBytes: 0, failed: [] };
  for (let pass = 0; pass < PASSES; pass++) {
    const { moved, movedBytes, failed } = await moveAll(context, options, (view) => Balance.of(context, view));
    report.moved += moved;
    report.movedBytes += movedBytes;
    report.failed.push(...failed);
    if (moved === 0 || failed.length > 0) break;
  }
  return report;
}

/** Moves shards from disks that hold more than their share to those that hold less. A disk's share is in proportion to its room. */
export class Balance extends Relocation {
  /** Bytes by which each disk is above its share; below it, less than 0. */
  readonly #above: Map<string, number>;

  /** A shard is moved only if that brings two disks nearer by more than so many bytes. */
  readonly #tolerance: number;

  private constructor(
    context: StoreContext,
    online: readonly Disk[],
    rooms: Rooms,
    above: Map<string, number>,
    tolerance: number,
  ) {
    super(context, online, rooms);
    this.#above = above;
    this.#tolerance = tolerance;
  }

  static override async of(context: StoreContext, { online }: DiskView): Promise<Balance> {
    const disks = online.filter((disk) => context.members.takesChunks(disk));
    const rooms = await Rooms.of(disks);
    const used = new Map((await usage(context, {})).map((entry) => [entry.disk, entry.used]));
    const sizes = disks.map((disk) => (used.get(disk.name) ?? 0) + Math.min(rooms.left(disk), Number.MAX_SAFE_INTEGER));
    const all = sizes.reduce((sum, size) => sum + size, 0);
    const inUse = disks.reduce((sum, { name }) => sum + (used.get(name) ?? 0), 0);
    const above = new Map(
      disks.map(({ name }, index) => [name, (used.get(name) ?? 0) - (inUse * must(sizes[index], 'size')) / (all || 1)]),
    );
    return new Balance(context, disks, rooms, above, Math.max(CHUNK_SIZE / 2, (inUse / disks.length) * TOLERANCE));
  }

  override wants = (stripe: Stripe, shard: ShardEntry): boolean =>
    this.#pick(shard, new Set(shardsOf(stripe).map(({ disk }) => disk))) !== undefined;

  override choose(shard: ShardEntry, taken: ReadonlySet<string>): Disk | undefined {
    const disk = this.#pick(shard, taken) ?? (this.#above.has(shard.disk) ? undefined : super.choose(shard, taken));
    if (disk === undefined) return undefined;
    this.#add(shard.disk, -shard.size);
    this.#add(disk.name, shard.size);
    return disk;
  }

  /** The disk that is furthest below its share, if the shard makes the two more alike. */
  #pick({ disk: from, size }: ShardEntry, taken: ReadonlySet<string>): Disk | undefined {
    const above = this.#above.get(from);
    if (above === undefined) return undefined;
    let best: Disk | undefined;
    for (const disk of this.targets) {
      const other = this.#above.get(disk.name) ?? 0;
      if (taken.has(disk.name) || !this.hasRoom(disk, size) || above - (other + size) <= this.#tolerance) continue;
      if (best === undefined || other < (this.#above.get(best.name) ?? 0)) best = disk;
    }
    return best;
  }

  #add(disk: string, bytes: number): void {
    const above = this.#above.get(disk);
    if (above !== undefined) this.#above.set(disk, above + bytes);
  }
}
