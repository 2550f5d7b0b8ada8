import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import {
  chunkPath,
  diskNames,
  forge,
  metaCopies,
  MIB,
  newStore,
  objectFiles,
  read,
  sha256,
  takeAway,
  tree,
} from '../../support/store.ts';
import { uploadIds } from '../../../src/metadata/meta.ts';
import { seededBytes } from '../../support/bytes.ts';

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test('chunks go round-robin over the disks, in the order of the disks', async () => {
  const store = await newStore(5);
  const { meta } = await store.put('bucket', 'key', seededBytes(11 * MIB + 1, 'round'));
  const disks = diskNames(store);
  const start = disks.indexOf(meta.chunks[0]?.disk ?? '');
  expect(meta.chunks.map((chunk) => chunk.disk)).toEqual(meta.chunks.map((_, order) => disks[(start + order) % 5]));
});

test('with a disk away chunks go round-robin over the others', async () => {
  const store = await newStore(4);
  takeAway(store, 'disk2');
  const { meta } = await store.put('bucket', 'key', seededBytes(7 * MIB, 'round'));
  const disks = ['disk1', 'disk3', 'disk4'];
  const start = disks.indexOf(meta.chunks[0]?.disk ?? '');
  expect(meta.chunks.map((chunk) => chunk.disk)).toEqual(meta.chunks.map((_, order) => disks[(start + order) % 3]));
});

test('small objects spread over all disks', async () => {
  const store = await newStore(3);
  const used = new Set<string | undefined>();
  // That one of three disks is never the first of 60 objects has a chance below 1 in 10 thousand million.
  for (let index = 0; index < 60; index++) {
    const { meta } = await store.put('bucket', String(index), Buffer.from('x'));
    used.add(meta.chunks[0]?.disk);
  }
  expect([...used].sort()).toEqual(['disk1', 'disk2', 'disk3']);
});

test('the meta tells the true size and SHA-256 of every chunk file, and there are no other chunk files', async () => {
  const store = await newStore();
  const { meta } = await store.put('bucket', 'key', seededBytes(4 * MIB + 3, 'sizes'));
  meta.chunks.forEach((chunk, order) => {
    const bytes = fs.readFileSync(chunkPath(store, meta, order));
    expect([chunk.order, chunk.size, chunk.sha256]).toEqual([order, bytes.length, sha256(bytes)]);
  });
  expect(meta.version).toMatch(UUID_V7);
  const [id = '', ...others] = uploadIds(meta);
  expect(others).toEqual([]);
  expect(id).toMatch(UUID_V7);
  expect(id).not.toBe(meta.version);
  expect(meta.chunks.map(({ file }) => file)).toEqual(
    [0, 1, 2, 3, 4].map((order) => `chunks/${id.slice(-2)}/${id}.00000${order}.chunk`),
  );
  const chunkFiles = objectFiles(store).filter((file) => file.includes('/chunks/'));
  expect(chunkFiles).toEqual(meta.chunks.map(({ disk, file }) => `${disk}/${file}`).sort());
});

test('every disk has the identical meta, readable JSON with a checksum that anybody can compute', async () => {
  const store = await newStore(5);
  const { meta } = await store.put('bucket', 'folder/demo.txt', seededBytes(MIB + 3, 'meta'));
  const copies = metaCopies(store, 'folder/demo.txt');
  expect(copies.map(({ disk }) => disk)).toEqual(diskNames(store));
  expect(new Set(copies.map(({ text }) => text)).size).toBe(1);
  expect(copies[0]?.file).toBe(path.join(store.root, 'disk1/buckets/bucket/folder/demo.txt.meta.json'));
  const document = JSON.parse(copies[0]?.text ?? '') as Record<string, unknown>;
  expect(document).toEqual(meta);
  const { checksum, ...content } = document;
  expect(checksum).toBe(sha256(Buffer.from(JSON.stringify(content))));
});

test('a meta takes less than 200 bytes a chunk', async () => {
  const store = await newStore(3);
  await store.put('bucket', 'small', Buffer.alloc(0));
  await store.put('bucket', 'large', Buffer.alloc(30 * MIB));
  const length = (key: string): number => metaCopies(store, key)[0]?.text.length ?? NaN;
  expect((length('large') - length('small')) / 30).toBeLessThan(200);
});

test('overwriting leaves exactly the files of the new version, and the folders that chunks have been in', async () => {
  const store = await newStore();
  const empty = tree(store.root);
  const { meta: old } = await store.put('bucket', 'key', seededBytes(5 * MIB, 'old'));
  const { meta } = await store.put('bucket', 'key', seededBytes(2 * MIB, 'new'));
  const chunks = meta.chunks.map(({ disk, file }) => `${disk}/${file}`);
  const metas = diskNames(store).map((disk) => `${disk}/buckets/bucket/key.meta.json`);
  expect(objectFiles(store)).toEqual([...chunks, ...metas].sort());
  expect(tree(store.root).filter((line) => !empty.includes(line) && line.endsWith(' folder'))).toEqual([]);
  for (const order of old.chunks.keys()) expect(fs.existsSync(path.dirname(chunkPath(store, old, order)))).toBe(true);
});

test('overwriting with fewer bytes, with none, and with more gives the new bytes, and a newer version each time', async () => {
  const store = await newStore();
  const versions: string[] = [];
  for (const size of [3 * MIB, 1, 0, 2 * MIB + 1, 0, 5]) {
    const bytes = seededBytes(size, size);
    versions.push((await store.put('bucket', 'key', bytes)).meta.version);
    expect(bytes.equals(await read(store, 'key'))).toBe(true);
  }
  expect(versions).toEqual([...new Set(versions)].sort());
});

test('an overwrite is newer than a version that a clock far ahead has made', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', Buffer.from('old'));
  for (const { file } of metaCopies(store, 'key'))
    forge(file, (meta) => (meta['version'] = '0fff0000-0000-7000-8000-000000000000'));
  const { meta } = await store.put('bucket', 'key', Buffer.from('new'));
  expect(meta.version > '0fff0000-0000-7000-8000-000000000000').toBe(true);
  expect((await read(store, 'key')).toString()).toBe('new');
  await store.delete('bucket', 'key');
  await expect(store.head('bucket', 'key')).rejects.toThrow('no object');
});

const hasJq = spawnSync('jq', ['--version']).status === 0;
if (!hasJq) console.warn('jq is not installed: the recipe for recovery by hand is not tested here');

test.skipIf(!hasJq).each([0, 1, 3 * MIB + 5])('jq and cat give %i bytes back by hand, from any disk', async (size) => {
  const store = await newStore();
  const bytes = seededBytes(size, 'by hand');
  await store.put('bucket', 'demo.txt', bytes);
  const recipe = `jq -r '.chunks[] | "\\(.disk)/\\(.file)"' "$1" | (cd "$2" && xargs cat)`;
  for (const { file } of metaCopies(store, 'demo.txt')) {
    const out = execFileSync('sh', ['-c', recipe, 'sh', file, store.root], { input: '', maxBuffer: 16 * MIB });
    expect(bytes.equals(out)).toBe(true);
  }
});

test.skipIf(!hasJq)('jq and cat give the bytes back of an overwritten object on linked disks too', async () => {
  const elsewhere = path.join((await newStore()).root, '..', 'elsewhere');
  const store = await newStore(2, {
    places: [
      { name: 'disk1', path: path.join(elsewhere, 'a') },
      { name: 'fast', path: path.join(elsewhere, 'b') },
    ],
  });
  const bytes = seededBytes(4 * MIB + 5, 'linked');
  await store.put('bucket', 'demo.txt', Buffer.from('old'));
  await store.put('bucket', 'demo.txt', bytes);
  const recipe = `jq -r '.chunks[] | "\\(.disk)/\\(.file)"' "$1" | (cd "$2" && xargs cat)`;
  const file = metaCopies(store, 'demo.txt')[0]?.file ?? '';
  const out = execFileSync('sh', ['-c', recipe, 'sh', file, store.root], { maxBuffer: 16 * MIB });
  expect(bytes.equals(out)).toBe(true);
});
