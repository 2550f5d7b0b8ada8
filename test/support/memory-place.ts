import { diskError } from '../../src/disks/disk-error.ts';
import type { Disk, DiskState } from '../../src/disks/disk.ts';
import type { DiskDriver, DiskPlace } from '../../src/disks/driver.ts';
import { DISK_MARK, formatDiskMark, readDiskMark, type DiskIdentity } from '../../src/disks/identity.ts';
import { MarkReader } from '../../src/disks/mark-reader.ts';
import { StoreError } from '../../src/errors.ts';
import { MemoryDisk, type StoredFiles } from '../contract/memory-disk.ts';

const SCHEME = 'memory:';

/** What is at the places in memory, by their names, as an engine would have it: whoever opens a disk there finds the same. */
const places = new Map<string, StoredFiles>();
const away = new Set<string>();

/** Places in memory: what `store.json` says of one begins with `memory:`. */
export const memoryDriver: DiskDriver = (where) => (where.startsWith(SCHEME) ? new MemoryPlace(where) : undefined);

/** Lets nothing at a place answer, and gives back the function that ends that. */
export function takePlaceAway(where: string): () => void {
  away.add(where);
  return () => void away.delete(where);
}

class MemoryPlace implements DiskPlace {
  readonly where: string;
  readonly isFolder = false;

  constructor(where: string) {
    this.where = where;
  }

  get #files(): StoredFiles {
    const files = places.get(this.where) ?? (new Map() as StoredFiles);
    places.set(this.where, files);
    return files;
  }

  open(identity: DiskIdentity): Disk {
    return new PlacedDisk(this.where, this.#files, identity);
  }

  isMissing(): Promise<boolean> {
    return Promise.resolve(!places.has(this.where));
  }

  realName(): Promise<string> {
    return Promise.resolve(this.where);
  }

  tryOut(): Promise<void> {
    return Promise.resolve();
  }

  mark(): Promise<DiskIdentity | undefined> {
    return Promise.resolve(readDiskMark(this.#files.get(DISK_MARK)?.bytes.toString('utf8') ?? ''));
  }

  isEmpty(folder: string): Promise<boolean> {
    return Promise.resolve(![...this.#files.keys()].some((path) => path.startsWith(`${folder}/`)));
  }

  async checkFree(name: string): Promise<void> {
    if (this.#files.size > 0) await this.#refuse(name);
  }

  async prepare(identity: DiskIdentity): Promise<() => Promise<void>> {
    const mark = await this.mark();
    if (mark === undefined)
      await new MemoryDisk(identity.name, this.#files).create(DISK_MARK, Buffer.from(formatDiskMark(identity)));
    else if (mark.name !== identity.name || mark.id !== identity.id) await this.#refuse(identity.name);
    return () => {
      this.#files.clear();
      return Promise.resolve();
    };
  }

  clear(folder: string): Promise<void> {
    for (const path of this.#files.keys()) if (path.startsWith(`${folder}/`)) this.#files.delete(path);
    return Promise.resolve();
  }

  #refuse(name: string): Promise<never> {
    const message = `"${this.where}" is not empty, so it cannot become disk "${name}"`;
    return Promise.reject(new StoreError('BAD_ROOT', message, { disk: name, path: this.where }));
  }
}

/** A disk in memory that has a mark, and may be out of reach. */
class PlacedDisk extends MemoryDisk {
  readonly #where: string;
  readonly #mark: MarkReader;

  constructor(where: string, files: StoredFiles, identity: DiskIdentity) {
    super(identity.name, files);
    this.#where = where;
    this.#mark = new MarkReader(this, identity, () => Promise.resolve(!away.has(where)));
  }

  override state(): Promise<DiskState> {
    if (away.has(this.#where)) return Promise.resolve({ status: 'missing', reason: 'it was taken away' });
    return this.#mark.state();
  }

  protected override get files(): StoredFiles {
    if (!away.has(this.#where)) return super.files;
    throw diskError(this.name, 'reach', '.', Object.assign(new Error('ENODEV: it was taken away'), { code: 'ENODEV' }));
  }
}
