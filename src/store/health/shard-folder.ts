import type { Disk } from '../../disks/disk.ts';
import { diskFault, type StoreError } from '../../errors.ts';
import { CHUNKS_FOLDER, SET_ASIDE } from '../../metadata/meta.ts';
import type { ShardEntry } from '../../metadata/stripes.ts';

/** The folder of a version on its disks, for one who writes chunks into it again. */
export class ShardFolder {
  readonly #folder: string;
  readonly #disks: Map<string, Disk>;
  readonly #durable: boolean;
  readonly #made = new Map<Disk, Promise<void>>();

  constructor(folder: string, online: readonly Disk[], durable: boolean) {
    this.#folder = folder;
    this.#disks = new Map(online.map((disk) => [disk.name, disk]));
    this.#durable = durable;
  }

  /** Writes a shard anew. What lies there under its name is set aside if it `isHome`; elsewhere it is what a move left that died. */
  async write(disk: Disk, file: string, bytes: Uint8Array, isHome: boolean): Promise<void> {
    await this.#make(disk);
    const path = `${this.#folder}/${file}`;
    const isThere = (await disk.stat(path)) !== undefined;
    // What was set aside first is the original; what has come after it was left by a mender that died.
    const isFirst = isHome && isThere && (await disk.stat(path + SET_ASIDE)) === undefined;
    if (isFirst) await disk.rename(path, path + SET_ASIDE, { durable: this.#durable });
    else if (isThere) await this.remove(disk, file);
    await disk.create(path, bytes, { durable: this.#durable });
  }

  async remove(disk: Disk, file: string): Promise<void> {
    await disk.remove(`${this.#folder}/${file}`, { within: this.#folder, durable: this.#durable, evenFolder: true });
  }

  /** Makes the names of what was written durable, and tells on which disks that failed. */
  async sync(): Promise<Map<string, StoreError>> {
    const failures = new Map<string, StoreError>();
    if (!this.#durable) return failures;
    await Promise.all(
      [...this.#made.keys()].map(async (disk) => {
        try {
          await disk.syncFolder(this.#folder);
          await disk.syncFolder(CHUNKS_FOLDER);
        } catch (error) {
          failures.set(disk.name, diskFault(error));
        }
      }),
    );
    return failures;
  }

  /** Removes what was set aside for shards that are whole now. */
  async removeSetAside(whole: readonly ShardEntry[]): Promise<void> {
    const files = new Map<string, Set<string>>();
    for (const { disk, file } of whole) files.set(disk, (files.get(disk) ?? new Set()).add(file + SET_ASIDE));
    await Promise.all(
      [...files].map(async ([name, names]) => {
        const disk = this.#disks.get(name);
        const entries = (await disk?.list(this.#folder).catch(() => [])) ?? [];
        for (const entry of entries)
          if (disk !== undefined && names.has(entry.name)) await this.remove(disk, entry.name).catch(() => undefined);
      }),
    );
  }

  #make(disk: Disk): Promise<void> {
    let made = this.#made.get(disk);
    if (made === undefined) {
      made = disk.makeFolder(this.#folder);
      this.#made.set(disk, made);
      made.catch(() => this.#made.delete(disk));
    }
    return made;
  }
}
