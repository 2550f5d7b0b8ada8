/** A disk is asked again after so many milliseconds, by a read that parity stands by for. */
const ASK_AGAIN_MS = 30_000;

/** Disks that have kept a reader waiting: what is on them is computed where that is possible, for a while. */
export class SlowDisks {
  readonly #since = new Map<string, number>();

  add(disk: string): void {
    this.#since.set(disk, performance.now());
  }

  has(disk: string): boolean {
    const since = this.#since.get(disk);
    if (since === undefined) return false;
    if (performance.now() - since < ASK_AGAIN_MS) return true;
    this.#since.delete(disk);
    return false;
  }
}
