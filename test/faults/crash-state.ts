import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { expect } from 'vitest';
import { isStoreError, ObjectStore, type ListedObject, type ObjectMeta } from '../../src/index.ts';

const META = '.meta.json';
const DISK_ENTRIES = ['buckets', 'chunks', 'disk.json', 'horizon.json', 'tmp'];

/** The object's bytes, or undefined where it is absent; `head`, `get` and `list` must say the same. */
export async function readObject(root: string, bucket: string, key: string): Promise<Buffer | undefined> {
  const store = await absent(ObjectStore.open(root));
  if (store === undefined) return undefined;
  const head = await absent(store.head(bucket, key));
  const got = await absent(store.get(bucket, key));
  const bytes = got === undefined ? undefined : await buffer(got.body);
  const listed = await absent(findListed(store, bucket, key));
  const versions = [head?.version, got?.meta.version, listed?.version];
  expect(new Set(versions).size, `head, get and list of ${key} agree: ${versions.join(', ')}`).toBe(1);
  expect(head?.size).toBe(bytes?.length);
  return bytes;
}

async function findListed(store: ObjectStore, bucket: string, key: string): Promise<ListedObject | undefined> {
  for await (const object of store.list(bucket)) if (object.key === key) return object;
  return undefined;
}

async function absent<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (isStoreError(error, 'STORE_NOT_FOUND', 'NO_SUCH_BUCKET', 'NO_SUCH_KEY')) return undefined;
    throw error;
  }
}

/** A meta as it lies on one disk. */
interface FoundMeta {
  disk: string;
  path: string;
  meta: ObjectMeta | { version: string; deleted: true };
}

/**
 * Guarantee 1, looked at with plain file calls: every meta refers only to chunk files that are there and whole. Only a
 * meta that a write quorum of disks has a newer one than may have lost its chunks.
 */
export function findDanglingMetas(root: string): string[] {
  const disks = diskNames(root);
  const metas = disks.flatMap((disk) => findMetas(root, disk));
  const quorum = Math.floor(disks.length / 2) + 1;
  const sums = new Map<string, string>();
  return metas.flatMap(({ disk, path: name, meta }) => {
    if ('deleted' in meta) return [];
    const newer = metas.filter((other) => other.path === name && other.meta.version > meta.version);
    if (newer.length >= quorum) return [];
    return [...meta.chunks, ...meta.parity].flatMap((chunk) => {
      const file = path.join(root, chunk.disk, chunk.file);
      const sum = sums.get(file) ?? sumOf(file);
      sums.set(file, sum);
      return sum === `${chunk.size} ${chunk.sha256}` ? [] : [`${disk}/${name} refers to ${file}: ${sum}`];
    });
  });
}

function sumOf(file: string): string {
  if (!fs.existsSync(file)) return 'missing';
  const bytes = fs.readFileSync(file);
  return `${bytes.length} ${createHash('sha256').update(bytes).digest('hex')}`;
}

/** How many disks show this version of the key, looked at with plain file calls; without a version, no meta at all. */
export function countCopies(root: string, bucket: string, key: string, version: string | undefined): number {
  const wanted = `buckets/${bucket}/${key}${META}`;
  return diskNames(root).filter((disk) => {
    const found = findMetas(root, disk).find((meta) => meta.path === wanted)?.meta;
    if (version === undefined) return found === undefined || 'deleted' in found;
    return found?.version === version;
  }).length;
}

/** Everything in a store's folder that no meta accounts for, and every difference between the disks' metas. */
export function findUntidy(root: string): string[] {
  if (!fs.existsSync(root)) return [];
  const disks = diskNames(root);
  const problems: string[] = [];
  const expected = new Set(['.lock', '.lock.note', 'store.json', ...disks]);
  for (const name of fs.readdirSync(root)) if (!expected.has(name)) problems.push(`stray: ${name}`);
  const metas = disks.flatMap((disk) => findMetas(root, disk));
  const referred = new Set<string>();
  for (const { meta } of metas) {
    if ('deleted' in meta) problems.push('a tombstone');
    else for (const chunk of [...meta.chunks, ...meta.parity]) referred.add(path.join(chunk.disk, chunk.file));
  }
  for (const disk of disks) {
    for (const name of fs.readdirSync(path.join(root, disk))) {
      if (!DISK_ENTRIES.includes(name)) problems.push(`stray: ${disk}/${name}`);
    }
    const staged = walk(path.join(root, disk, 'tmp'));
    // Fan-out folders stay, empty ones too.
    const chunks = walk(path.join(root, disk, 'chunks')).filter(
      (name) => !referred.has(path.join(disk, 'chunks', name)) && !/^[0-9a-f]{2}\/$/.test(name),
    );
    problems.push(
      ...staged.map((name) => `staged: ${disk}/${name}`),
      ...chunks.map((name) => `leftover: ${disk}/chunks/${name}`),
    );
    const differs = bucketTree(root, disk) !== bucketTree(root, disks[0] ?? '');
    if (differs) problems.push(`the metas of ${disk} and ${disks[0] ?? ''} differ`);
  }
  for (const disk of disks) {
    for (const name of walk(path.join(root, disk, 'buckets')))
      if (name.endsWith('/')) problems.push(`empty folder: ${disk}/buckets/${name}`);
  }
  return problems;
}

/** All metas of a disk. One that has lost its last line break still says the same. */
function bucketTree(root: string, disk: string): string {
  const folder = path.join(root, disk, 'buckets');
  return walk(folder)
    .map((name) => `${name}\n${name.endsWith('/') ? '' : fs.readFileSync(path.join(folder, name), 'utf8').trimEnd()}`)
    .join('\n');
}

/** The store's disks; as long as there is no store, the folders that look like some. */
function diskNames(root: string): string[] {
  if (!fs.existsSync(root)) return [];
  const document = path.join(root, 'store.json');
  if (fs.existsSync(document)) {
    const { disks } = JSON.parse(fs.readFileSync(document, 'utf8')) as { disks: { name: string }[] };
    return disks.map(({ name }) => name).sort();
  }
  return fs
    .readdirSync(root)
    .filter((name) => name.startsWith('disk'))
    .sort();
}

function findMetas(root: string, disk: string): FoundMeta[] {
  return walk(path.join(root, disk, 'buckets'))
    .filter((name) => name.endsWith(META))
    .map((name) => {
      const text = fs.readFileSync(path.join(root, disk, 'buckets', name), 'utf8');
      return { disk, path: `buckets/${name}`, meta: JSON.parse(text) as FoundMeta['meta'] };
    });
}

/** The files below a folder, sorted, and with a `/` at the end the folders that are empty. */
function walk(folder: string): string[] {
  if (!fs.existsSync(folder)) return [];
  return fs
    .readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      if (!entry.isDirectory()) return [entry.name];
      const below = walk(path.join(folder, entry.name));
      return below.length === 0 ? [`${entry.name}/`] : below.map((name) => `${entry.name}/${name}`);
    })
    .sort();
}
