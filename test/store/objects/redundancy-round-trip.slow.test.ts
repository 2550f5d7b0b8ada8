import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { stripesOf, type ObjectMeta, type ObjectStore } from '../../../src/index.ts';
import { uploadIds } from '../../../src/metadata/meta.ts';
import { parityFile } from '../../../src/metadata/shard-file.ts';
import { seededBytes } from '../../support/bytes.ts';
import { expectDistinct, shardPath, shardsIn } from '../../support/shards.ts';
import {
  failure,
  filesIn,
  metaCopies,
  MIB,
  newStore,
  objectFiles,
  read,
  sha256,
  takeAway,
  tree,
} from '../../support/store.ts';

const hasJq = (() => {
  try {
    execFileSync('jq', ['--version']);
    return true;
  } catch {
    console.warn('SKIPPED: the recipe of the README needs jq, which is not installed');
    return false;
  }
})();

/** What the README says to put an object together with, in the store's folder. */
function byHand(store: ObjectStore, key: string): Buffer {
  const meta = metaCopies(store, key)[0]?.file ?? '';
  const recipe = `jq -r '.chunks[] | "\\(.disk)/\\(.file)"' "$1" | xargs -r cat`;
  return execFileSync('bash', ['-c', recipe, 'bash', meta], { cwd: store.root, maxBuffer: 64 * MIB });
}

/** That a meta and the files that it names are what `k+m` says. */
function expectShape(store: ObjectStore, meta: ObjectMeta, data: number, parity: number, bytes: Buffer): void {
  expect(meta.redundancy).toBe(`${data}+${parity}`);
  expect(meta.size).toBe(bytes.length);
  const chunks = Math.ceil(bytes.length / MIB);
  expect(meta.chunks.length).toBe(chunks);
  expect(meta.parity.length).toBe(Math.ceil(chunks / data) * parity);
  expectDistinct(meta);
  const [id = ''] = uploadIds(meta);
  for (const stripe of parity === 0 ? [] : stripesOf(meta)) {
    const first = stripe.index * data;
    const orders = Array.from({ length: Math.min(data, chunks - first) }, (_, index) => first + index);
    expect(stripe.chunks.map(({ order }) => order)).toEqual(orders);
    expect(stripe.parity.map(({ row, protects }) => ({ row, protects }))).toEqual(
      Array.from({ length: parity }, (_, row) => ({ row, protects: orders })),
    );
    for (const { size, file, row } of stripe.parity) {
      expect(size).toBe(Math.max(...stripe.chunks.map((chunk) => chunk.size)));
      expect(file).toBe(parityFile(id, first, row));
    }
  }
  for (const shard of shardsIn(meta)) {
    const file = fs.readFileSync(shardPath(store, shard));
    expect([file.length, sha256(file)]).toEqual([shard.size, shard.sha256]);
  }
  // Row 0 is XOR, so that a hand can do without the program; and with one chunk all parity is copies.
  for (const stripe of stripesOf(meta)) {
    for (const entry of stripe.parity.filter(({ row }) => row === 0 || stripe.chunks.length === 1)) {
      const sum = new BigUint64Array(Math.ceil(entry.size / 8));
      for (const chunk of stripe.chunks) xorInto(sum, fs.readFileSync(shardPath(store, chunk)));
      expect(sha256(Buffer.from(sum.buffer).subarray(0, entry.size))).toBe(entry.sha256);
    }
  }
}

function xorInto(sum: BigUint64Array, bytes: Buffer): void {
  const padded = Buffer.alloc(sum.byteLength);
  bytes.copy(padded);
  new BigUint64Array(padded.buffer, padded.byteOffset, sum.length).forEach(
    (word, at) => (sum[at] = (sum[at] ?? 0n) ^ word),
  );
}

test.each([
  { data: 1, parity: 1, disks: 3 },
  { data: 2, parity: 1, disks: 3 },
  { data: 2, parity: 1, disks: 5 },
  { data: 4, parity: 2, disks: 6 },
  { data: 4, parity: 2, disks: 8 },
  { data: 1, parity: 2, disks: 4 },
  { data: 3, parity: 0, disks: 3 },
])(
  '$data+$parity on $disks disks: objects of every awkward size come back, by the program and by hand',
  async ({ data, parity, disks }) => {
    const store = await newStore(disks, { redundancy: `${data}+${parity}` });
    const stripe = data * MIB;
    const sizes = new Set([0, 1, MIB - 1, MIB, MIB + 1, stripe - 1, stripe, stripe + 1]);
    let files = 0;
    for (const size of sizes) {
      const key = String(size);
      const bytes = seededBytes(size, `size ${key}`);
      const { meta, unwritten, offline, failed } = await store.put('bucket', key, bytes);
      expect({ unwritten, offline, failed }).toEqual({ unwritten: [], offline: [], failed: [] });
      expectShape(store, meta, data, parity, bytes);
      expect(bytes.equals(await read(store, key))).toBe(true);
      if (hasJq && size > MIB) expect(bytes.equals(byHand(store, key))).toBe(true);
      files += disks + shardsIn(meta).length;
    }
    // Nothing else lies about.
    expect(objectFiles(store).length).toBe(files);
  },
);

test('an object of one chunk under 4+2 costs three chunk files, each on a disk of its own', async () => {
  const store = await newStore(6, { redundancy: '4+2' });
  const { meta } = await store.put('bucket', 'key', Buffer.from('small'));
  expect(objectFiles(store).filter((file) => file.includes('/chunks/')).length).toBe(3);
  expect(new Set(shardsIn(meta).map(({ disk }) => disk)).size).toBe(3);
  expect(new Set(shardsIn(meta).map(({ sha256: sum }) => sum)).size).toBe(1);
});

test("the store's redundancy, the bucket's and the object's: the nearest counts, and all live side by side", async () => {
  const store = await newStore(6, { redundancy: '2+1' });
  await store.createBucket('wide', { redundancy: '4+2' });
  const bytes = seededBytes(5 * MIB + 1, 'nearest');
  const puts = [
    ['bucket', 'plain', undefined, 2, 1],
    ['bucket', 'own', '1+2', 1, 2],
    ['wide', 'plain', undefined, 4, 2],
    ['wide', 'own', '1+0', 1, 0],
    ['wide', 'plain', '3+3', 3, 3],
  ] as const;
  for (const [bucket, key, redundancy, data, parity] of puts) {
    const { meta } = await store.put(bucket, key, bytes, { redundancy });
    expectShape(store, meta, data, parity, bytes);
  }
  expect((await store.listBuckets()).map(({ bucket, redundancy }) => [bucket, redundancy])).toEqual([
    ['bucket', undefined],
    ['wide', '4+2'],
  ]);
  const reopened = store.document;
  expect(reopened.redundancy).toBe('2+1');
  for (const [bucket, key] of puts) {
    const pieces: Buffer[] = [];
    for await (const piece of (await store.get(bucket, key)).body) pieces.push(piece as Buffer);
    expect(bytes.equals(Buffer.concat(pieces))).toBe(true);
  }
});

test('many objects of many redundancies and sizes beside one another all come back', async () => {
  const store = await newStore(7);
  const objects = Array.from({ length: 24 }, (_, index) => ({
    key: String(index),
    bytes: seededBytes((index * 177_777) % (2 * MIB), `many ${index}`),
    redundancy: ['1+0', '1+1', '2+1', '4+2', '1+3', '6+1'][index % 6],
  }));
  await Promise.all(objects.map(({ key, bytes, redundancy }) => store.put('bucket', key, bytes, { redundancy })));
  for (const { key, bytes, redundancy } of objects) {
    expect((await store.head('bucket', key)).redundancy).toBe(redundancy);
    expect(bytes.equals(await read(store, key))).toBe(true);
  }
});

test.each(['3+1', '4+0', '1+3', '2+2'])(
  '%s on three disks is BAD_REDUNDANCY for a store, a bucket and an object, and leaves nothing',
  async (redundancy) => {
    const store = await newStore(3);
    const before = tree(store.root);
    for (const attempt of [
      () => store.createBucket('second', { redundancy }),
      () => store.put('bucket', 'key', seededBytes(3 * MIB, 'wide'), { redundancy }),
    ]) {
      expect(await failure(attempt())).toMatchObject({ code: 'BAD_REDUNDANCY', expected: 4, found: 3 });
    }
    expect(tree(store.root)).toEqual(before);
    const folder = path.dirname(store.root);
    const names = fs.readdirSync(folder);
    expect(await failure(newStoreIn(path.join(folder, 'other'), redundancy))).toMatchObject({ code: 'BAD_REDUNDANCY' });
    expect(fs.readdirSync(folder)).toEqual(names);
  },
);

async function newStoreIn(root: string, redundancy: string): Promise<unknown> {
  const { ObjectStore: Store } = await import('../../../src/index.ts');
  return Store.init(root, { disks: 3, redundancy });
}

test.each(['', '1', '0+1', '1+', '+1', '1+1+1', ' 1+1', '01+1', '1+33', '32+1', '-1+1', '1.5+1'])(
  '%j is no redundancy',
  async (redundancy) => {
    const store = await newStore(3);
    expect(await failure(store.put('bucket', 'key', Buffer.from('x'), { redundancy }))).toMatchObject({
      code: 'BAD_REDUNDANCY',
    });
    expect(await failure(store.createBucket('second', { redundancy }))).toMatchObject({ code: 'BAD_REDUNDANCY' });
    expect(objectFiles(store)).toEqual([]);
  },
);

test.skipIf(!hasJq)(
  'what was written while disks were away can be put together by hand too: chunks come before parity',
  async () => {
    const store = await newStore(6, { redundancy: '4+2' });
    takeAway(store, 'disk3');
    takeAway(store, 'disk5');
    const bytes = seededBytes(9 * MIB + 5, 'by hand');
    const { meta, unwritten } = await store.put('bucket', 'key', bytes);
    // Two whole stripes lack both parities; the last, of two chunks, has room for all.
    expect(unwritten.map(({ file }) => file.slice(file.indexOf('.') + 1)).sort()).toEqual([
      '000000.parity0',
      '000000.parity1',
      '000004.parity0',
      '000004.parity1',
    ]);
    expect(bytes.equals(byHand(store, 'key'))).toBe(true);
    const written = shardsIn(meta).length - unwritten.length;
    expect(filesIn(store.root).filter((file) => file.includes('chunks/')).length).toBe(written);
  },
);
