import { dirname } from 'node:path/posix';
import type { FanOutFolders } from '../../chunks/fan-out-folders.ts';
import { forEachAtOnce } from '../../concurrency/workers.ts';
import type { Disk } from '../../disks/disk.ts';
import { diskFault, ignoreDiskFault, type StoreError } from '../../errors.ts';
import { SET_ASIDE } from '../../metadata/shard-file.ts';
import type { ShardEntry } from '../../metadata/stripes.ts';

const AT_ONCE = 16;

/** The files of a version's shards, for one who writes some of them again. */
export class ShardFiles {
  readonly #folders: FanOutFolders;
  readonly #disks: Map<string, Disk>;
  readonly #durable: boolean;
  /** Folders into which something has been written. */
  readonly #written = new Map<Disk, Set<string>>();

  constructor(folders: FanOutFolders, online: readonly Disk[], durable: boolean) {
    this.#folders = folders;
    this.#disks = new Map(online.map((disk) => [disk.name, disk]));
    this.#durable = durable;
  }

  /** Writes a shard anew. What lies there under its name is set aside if it `isHome`; elsewhere it is what a move left that died. */
  async write(disk: Disk, file: string, bytes: Uint8Array, isHome: boolean): Promise<void> {
    const durable = this.#durable;
    const isThere = (await disk.stat(file)) !== undefined;
    // What was set aside first is the original; what has come after it was left by a mender that died.
    const isFirst = isHome && isThere && (await disk.stat(file + SET_ASIDE)) === undefined;
    if (isFirst) await disk.rename(file, file + SET_ASIDE, { durable });
    else if (isThere) await this.remove(disk, file);
    await this.#folders.create(disk, file, bytes, { durable });
    this.#written.set(disk, (this.#written.get(disk) ?? new Set()).add(dirname(file)));
  }

  async remove(disk: Disk, file: string): Promise<void> {
    await disk.remove(file, { within: dirname(file), durable: this.#durable, evenFolder: true });
  }

  /** Makes the names of what was written durable, and tells on which disks that failed. */
  async sync(): Promise<Map<string, StoreError>> {
    const failures = new Map<string, StoreError>();
    if (!this.#durable) return failures;
    await Promise.all(
      [...this.#written].map(async ([disk, folders]) => {
        try {
          for (const folder of folders) await this.#folders.sync(disk, folder);
        } catch (error) {
          failures.set(disk.name, diskFault(error));
        }
      }),
    );
    return failures;
  }

  /** Removes what was set aside for shards that are whole now. */
  async removeSetAside(whole: readonly ShardEntry[]): Promise<void> {
    await forEachAtOnce(whole, AT_ONCE, async ({ disk: name, file }) => {
      const disk = this.#disks.get(name);
      const path = file + SET_ASIDE;
      const isThere = (await disk?.stat(path).catch(ignoreDiskFault)) !== undefined;
      if (disk !== undefined && isThere) await this.remove(disk, path).catch(() => undefined);
    });
  }
}
