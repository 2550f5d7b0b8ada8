import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import { mkdir as makeFolders } from 'node:fs/promises';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { FolderSync } from '../src/files/folder-sync.ts';
import { BUCKET } from './support/commands.ts';

const DISKS = ['disk1', 'disk2', 'disk3'];

/** As long as the meta of an object of one chunk. */
const META = Buffer.alloc(700, ' ');

/** What `BareStore.put` does, in words. */
export const OPERATIONS = `open, write, fsync, close of the chunk; open, fsync, close of its fan-out folder; and on each of
  3 disks: open of the old meta (there is none), open, write, fsync, close of the new meta under a name of its own, rename,
  and open, fsync, close of the bucket's folder`;

// The same calls as a plain program would make: callbacks made promises, no file handles, positions given.
const system = {
  open: promisify(fs.open) as (file: string, flags: string) => Promise<number>,
  write: promisify(fs.write) as unknown as (
    fd: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ) => Promise<unknown>,
  fsync: promisify(fs.fsync),
  close: promisify(fs.close),
  rename: promisify(fs.rename),
};

/** The peer of `ObjectStore.put`: the bare file operations that its guarantees need, in the same order, counted. */
export class BareStore {
  /** System calls that were made for objects. */
  calls = 0;
  objects = 0;
  readonly #root: string;
  readonly #folderSync: FolderSync | undefined;

  constructor(root: string, options: { shareFolderSyncs?: boolean } = {}) {
    this.#root = root;
    this.#folderSync = options.shareFolderSyncs === true ? new FolderSync() : undefined;
  }

  /** Makes the folders of the disks, fan-out folders included: a store makes each of those once. */
  static async make(root: string, options: { shareFolderSyncs?: boolean } = {}): Promise<BareStore> {
    for (const disk of DISKS) {
      const fanOuts = Array.from({ length: 256 }, (_, index) => `chunks/${index.toString(16).padStart(2, '0')}`);
      for (const folder of [...fanOuts, 'tmp', `buckets/${BUCKET}`]) {
        await makeFolders(path.join(root, disk, folder), { recursive: true });
      }
    }
    return new BareStore(root, options);
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    const id = randomUUID();
    const disks = DISKS.map((disk) => `${this.#root}/${disk}`);
    const home = disks[this.objects++ % disks.length] ?? '';
    const folder = `${home}/chunks/${id.slice(-2)}`;
    const bucket = `buckets/${BUCKET}`;
    await this.#writeFile(`${folder}/${id}.000000.chunk`, 'wx', bytes);
    await this.#syncFolder(folder);
    await Promise.all(disks.map((disk) => this.#openMissing(`${disk}/${bucket}/${key}.meta.json`)));
    await Promise.all(disks.map((disk) => this.#writeFile(`${disk}/tmp/${id}`, 'w', META)));
    await Promise.all(
      disks.map(async (disk) => {
        await this.#count(system.rename(`${disk}/tmp/${id}`, `${disk}/${bucket}/${key}.meta.json`));
        await this.#syncFolder(`${disk}/${bucket}`);
      }),
    );
  }

  async #openMissing(file: string): Promise<void> {
    const fd = await this.#count(system.open(file, 'r')).catch(() => undefined);
    if (fd !== undefined) throw new Error(`${file} is there already`);
  }

  async #writeFile(file: string, flags: string, bytes: Uint8Array): Promise<void> {
    const fd = await this.#count(system.open(file, flags));
    await this.#count(system.write(fd, bytes, 0, bytes.length, 0));
    await this.#count(system.fsync(fd));
    await this.#count(system.close(fd));
  }

  async #syncFolder(folder: string): Promise<void> {
    if (this.#folderSync !== undefined) return this.#folderSync.sync(folder);
    const fd = await this.#count(system.open(folder, 'r'));
    await this.#count(system.fsync(fd));
    await this.#count(system.close(fd));
  }

  #count<T>(call: Promise<T>): Promise<T> {
    this.calls++;
    return call;
  }
}
