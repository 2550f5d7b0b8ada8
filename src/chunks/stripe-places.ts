import type { Disk } from '../disks/disk.ts';

/** The disks of one stripe: each has at most one of its shards. */
export class StripePlaces {
  readonly #order: Disk[];
  readonly #used = new Set<string>();

  constructor(order: readonly Disk[]) {
    this.#order = [...order];
  }

  /** The next disk, in order of preference, that is not used yet and that `isFit`. */
  take(isFit: (disk: Disk) => boolean): Disk | undefined {
    const disk = this.#order.find((candidate) => !this.#used.has(candidate.name) && isFit(candidate));
    if (disk !== undefined) this.#used.add(disk.name);
    return disk;
  }

  has(disk: string): boolean {
    return this.#used.has(disk);
  }

  reserve(disk: string): void {
    this.#used.add(disk);
  }

  release(disk: string): void {
    this.#used.delete(disk);
  }
}
