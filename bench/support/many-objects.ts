import { randomBytes } from 'node:crypto';
import pMap from 'p-map';
import type { DiskUsage, ObjectStore } from '../../src/index.ts';
import { BUCKET } from './commands.ts';
import type { Library } from './library.ts';

/** Keys that begin alike, up to a `/`. */
export const KEYS_PER_FOLDER = 1000;

/** Size of each object, in bytes. */
export const OBJECT_BYTES = 100;

/** Makes a store of 3 disks with so many objects, none of which is synced. */
export async function fillStore(
  { ObjectStore: Store }: Library,
  root: string,
  { objects, signal }: { objects: number; signal: AbortSignal },
): Promise<ObjectStore> {
  const store = await Store.init(root);
  await store.createBucket(BUCKET);
  const bytes = randomBytes(OBJECT_BYTES);
  process.stderr.write(`  putting ${objects} objects\n`);
  const put = (_: unknown, index: number): Promise<unknown> =>
    store.put(BUCKET, `folder-${Math.floor(index / KEYS_PER_FOLDER)}/object-${index}`, bytes, { durability: 'none' });
  await pMap(Array.from({ length: objects }), put, { concurrency: 64, signal });
  return store;
}

/** @throws unless each of the objects' chunks, of which each has one, is counted */
export function checkUsage(disks: readonly DiskUsage[], objects: number): void {
  checkCount(
    'usage',
    disks.reduce((sum, { chunks }) => sum + chunks, 0),
    objects,
  );
}

/** @throws unless a walk has found all objects */
export function checkCount(what: string, count: number, objects: number): void {
  if (count !== objects) throw new Error(`${what} has found ${count} objects, ${objects} were put`);
}
