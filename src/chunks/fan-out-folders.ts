import { dirname } from 'node:path/posix';
import type { Disk, WriteOptions } from '../disks/disk.ts';
import { isDiskFault, StoreError } from '../errors.ts';
import { CHUNKS_FOLDER } from '../metadata/shard-file.ts';

/** What is known of a disk. */
interface Known {
  /** Folders whose own names are durable. */
  durable: Set<string>;
  /** So many folders have been made. */
  made: number;
}

/**
 * The fan-out folders of all disks, for whoever writes chunks into them. One is made when its first chunk comes, and stays.
 * Its name must be durable before a meta refers to what is in it, whoever made it, and may have died before its sync; so it
 * is made durable by the first in each process that needs that, and then remembered.
 */
export class FanOutFolders {
  readonly #disks = new WeakMap<Disk, Known>();

  /** Writes a chunk's file, whose folder need not be there. Rejects as `Disk.create` does. */
  async create(disk: Disk, file: string, bytes: Uint8Array, options: WriteOptions): Promise<void> {
    try {
      await disk.create(file, bytes, options);
    } catch (error) {
      if (!isDiskFault(error) || error.details.fault !== 'missing') throw error;
      await this.#make(disk, dirname(file));
      await disk.create(file, bytes, options);
    }
  }

  /** Makes the names of the chunks in a folder durable, and its own. */
  async sync(disk: Disk, folder: string): Promise<void> {
    await disk.syncFolder(folder);
    const known = this.#known(disk);
    if (known.durable.has(folder)) return;
    const { made } = known;
    await disk.syncFolder(CHUNKS_FOLDER);
    // Somebody may have removed the folder, so that it was made again after this sync had begun.
    if (made === known.made) known.durable.add(folder);
  }

  async #make(disk: Disk, folder: string): Promise<void> {
    // Another disk may have come to its place: nothing is to be made in that.
    await requireOnline(disk);
    await disk.makeFolder(folder);
    const known = this.#known(disk);
    known.durable.delete(folder);
    known.made++;
  }

  #known(disk: Disk): Known {
    let known = this.#disks.get(disk);
    if (known === undefined) {
      known = { durable: new Set(), made: 0 };
      this.#disks.set(disk, known);
    }
    return known;
  }
}

/** @throws DISK_IO where a disk is not, or no longer, the one that the store means */
export async function requireOnline(disk: Disk): Promise<void> {
  const { status, reason } = await disk.state();
  if (status === 'online') return;
  throw new StoreError('DISK_IO', `disk "${disk.name}" is ${status} (${reason})`, { disk: disk.name });
}
