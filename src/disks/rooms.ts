import { isDiskFault } from '../errors.ts';
import type { Disk } from './disk.ts';

/** Part of a disk that chunks leave free, so that deletes and metas always have room; at most `MAX_RESERVE` bytes. */
const RESERVE = 0.02;
const MAX_RESERVE = 1024 ** 3;

/** After how many bytes the disks are asked again: others write to them too. */
const ASK_AGAIN = 64 * 1024 * 1024;

/** Bytes of a disk of `total` bytes that are kept free of chunks. */
export function reserveOf(total: number): number {
  return Math.min(total * RESERVE, MAX_RESERVE);
}

/** Bytes that a disk can take in chunks: infinite where there are no bounds, 0 where the disk fails or does not answer. */
export async function roomOf(disk: Disk): Promise<number> {
  try {
    const room = await disk.room();
    return room === undefined ? Infinity : Math.max(0, room.free - reserveOf(room.total));
  } catch (error) {
    if (isDiskFault(error)) return 0;
    throw error;
  }
}

/** How much room some disks have for chunks, kept up to date while one operation writes to them. */
export class Rooms {
  readonly #left = new Map<Disk, number>();
  readonly #disks: Set<Disk>;
  #taken = 0;

  private constructor(disks: readonly Disk[]) {
    this.#disks = new Set(disks);
  }

  static async of(disks: readonly Disk[]): Promise<Rooms> {
    const rooms = new Rooms(disks);
    await rooms.#ask();
    return rooms;
  }

  /** Asks a disk that was not among the first. */
  async learn(disk: Disk): Promise<void> {
    if (this.#disks.has(disk)) return;
    this.#disks.add(disk);
    this.#left.set(disk, await roomOf(disk));
  }

  /** Bytes that the disk can still take. */
  left(disk: Disk): number {
    return this.#left.get(disk) ?? 0;
  }

  /** Counts bytes that are about to be written. */
  async take(disk: Disk, bytes: number): Promise<void> {
    this.#left.set(disk, this.left(disk) - bytes);
    this.#taken += bytes;
    if (this.#taken < ASK_AGAIN) return;
    this.#taken = 0;
    await this.#ask();
  }

  async #ask(): Promise<void> {
    await Promise.all([...this.#disks].map(async (disk) => this.#left.set(disk, await roomOf(disk))));
  }
}
