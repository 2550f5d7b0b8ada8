import { randomUUID } from 'node:crypto';
import type { Disk } from '../../src/disks/disk.ts';
import { drivers, placeAt } from '../../src/disks/drivers.ts';
import type { InitOptions, ObjectStore } from '../../src/index.ts';
import { memoryDriver, takePlaceAway } from './memory-place.ts';
import { newStore, takeAway } from './store.ts';

/** A kind of disk that a store can have: tests that look at no folders run on all kinds. */
export interface DiskKind {
  kind: string;
  /** Texts that mean so many places of this kind where nothing is yet; undefined where they are to be made in the store's folder. */
  places: (count: number) => { name: string; path: string }[] | undefined;
  /** Takes a disk away, and gives back the function that brings it back. */
  takeAway: (store: ObjectStore, disk: string) => () => void;
}

drivers.unshift(memoryDriver);

export const DISK_KINDS: DiskKind[] = [
  { kind: 'folders', places: () => undefined, takeAway },
  {
    kind: 'disks in memory',
    places: (count) => {
      const id = randomUUID();
      return Array.from({ length: count }, (_, index) => ({
        name: `disk${index + 1}`,
        path: `memory:${id}/disk${index + 1}`,
      }));
    },
    takeAway: (store, disk) => takePlaceAway(entryOf(store, disk).path),
  },
];

/** A store of disks of one kind, with the bucket `bucket`. */
export function storeOn({ places }: DiskKind, disks = 3, options: InitOptions = {}): Promise<ObjectStore> {
  const made = places(disks);
  return newStore(disks, { ...options, ...(made === undefined ? {} : { places: made }) });
}

/** A disk of a store, to hurt it, and to see what is on it. */
export function diskOf(store: ObjectStore, name: string): Disk {
  const { path, id } = entryOf(store, name);
  return placeAt(path, store.root).open({ storeId: store.document.id, name, id });
}

/** Puts other bytes in the place of a file. */
export async function overwrite(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const within = path.includes('/') ? (path.split('/', 1)[0] ?? '') : '.';
  const staged = await disk.stage(path, bytes, { id: randomUUID(), within, durable: false });
  await staged.publish();
}

/** Flips a bit of a file. */
export async function flip(disk: Disk, path: string): Promise<void> {
  const bytes = Buffer.from((await disk.read(path)) ?? []);
  const middle = bytes.length >> 1;
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  await overwrite(disk, path, bytes);
}

/** The paths of all files on a disk but its mark and the horizon, in order. */
export async function filesOn(disk: Disk, folder = '.'): Promise<string[]> {
  const found: string[] = [];
  for (const { name, isFolder } of await disk.list(folder)) {
    const path = folder === '.' ? name : `${folder}/${name}`;
    if (isFolder) found.push(...(await filesOn(disk, path)));
    else if (!['disk.json', 'horizon.json'].includes(path)) found.push(path);
  }
  return found.sort();
}

function entryOf(store: ObjectStore, name: string): ObjectStore['document']['disks'][number] {
  const entry = store.document.disks.find((disk) => disk.name === name);
  if (entry === undefined) throw new Error(`there is no disk ${name}`);
  return entry;
}
