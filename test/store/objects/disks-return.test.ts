import { expect, test } from 'vitest';
import type { ObjectStore } from '../../../src/index.ts';
import {
  diskNames,
  failure,
  keysOf,
  metaCopies,
  MIB,
  newStore,
  objectFiles,
  read,
  takeAway,
  tree,
} from '../../support/store.ts';
import { seededBytes } from '../../support/bytes.ts';

const DISKS = ['disk1', 'disk2', 'disk3'];

/** Runs a check with every set of disks that a read is allowed with: all, and all but each one. */
async function withEveryQuorum(store: ObjectStore, check: () => Promise<void>): Promise<void> {
  await check();
  for (const disk of DISKS) {
    const back = takeAway(store, disk);
    await check();
    back();
  }
}

async function isGone(store: ObjectStore, key: string): Promise<void> {
  expect((await failure(store.head('bucket', key))).code).toBe('NO_SUCH_KEY');
  expect((await failure(store.get('bucket', key))).code).toBe('NO_SUCH_KEY');
  expect(await keysOf(store)).not.toContain(key);
}

test.each(DISKS)(
  '%s missed an overwrite: its old version is never seen again, and gc brings it into step',
  async (disk) => {
    const store = await newStore();
    await store.put('bucket', 'key', seededBytes(5 * MIB, 'old'));
    const back = takeAway(store, disk);
    const { meta } = await store.put('bucket', 'key', Buffer.from('new'));
    back();
    expect(new Set(metaCopies(store, 'key').map(({ text }) => text)).size).toBe(2);
    await withEveryQuorum(store, async () => {
      expect(await store.head('bucket', 'key')).toEqual(meta);
      const versions: string[] = [];
      for await (const { version } of store.list('bucket')) versions.push(version);
      expect(versions).toEqual([meta.version]);
    });
    expect((await read(store, 'key')).toString()).toBe('new');
    const report = await store.gc();
    expect(report).toMatchObject({ settled: 1, tombstones: 0, kept: [] });
    expect(report.leftoverChunks).toBeGreaterThan(0);
    expect(metaCopies(store, 'key').length).toBe(3);
    expect(new Set(metaCopies(store, 'key').map(({ text }) => text)).size).toBe(1);
    expect(objectFiles(store).length).toBe(4);
    expect((await read(store, 'key')).toString()).toBe('new');
  },
);

test.each(DISKS)(
  '%s missed a delete: the object never comes back, and gc removes the tombstone with the last of it',
  async (disk) => {
    const store = await newStore();
    const before = tree(store.root);
    await store.put('bucket', 'a/key', seededBytes(5 * MIB, 'old'));
    const back = takeAway(store, disk);
    await store.delete('bucket', 'a/key');
    await isGone(store, 'a/key');
    back();
    await withEveryQuorum(store, () => isGone(store, 'a/key'));
    expect(await store.gc()).toMatchObject({ tombstones: 1, kept: [] });
    expect(tree(store.root)).toEqual(before);
  },
);

test('with a disk away gc keeps the tombstone, however often it runs, because the disk may bring the object back', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', seededBytes(2 * MIB, 'old'));
  const back = takeAway(store, 'disk2');
  await store.delete('bucket', 'key');
  for (let times = 0; times < 3; times++) {
    expect(await store.gc()).toMatchObject({ tombstones: 0 });
    expect(metaCopies(store, 'key').length).toBe(2);
  }
  back();
  await isGone(store, 'key');
});

test('an object that was deleted and made anew while a disk was away is the new one when the disk is back', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', Buffer.from('old'));
  const back = takeAway(store, 'disk1');
  await store.delete('bucket', 'key');
  const { meta } = await store.put('bucket', 'key', Buffer.from('new'));
  back();
  await withEveryQuorum(store, async () => {
    expect((await store.head('bucket', 'key')).version).toBe(meta.version);
  });
  await store.gc();
  expect((await read(store, 'key')).toString()).toBe('new');
  expect(objectFiles(store).length).toBe(4);
});

test('disks that go and come in turn, with an overwrite each time, always show the last one', async () => {
  const store = await newStore();
  for (let round = 0; round < 9; round++) {
    const back = takeAway(store, DISKS[(round * 2) % 3] ?? '');
    await store.put('bucket', 'key', Buffer.from(`round ${round}`));
    expect((await read(store, 'key')).toString()).toBe(`round ${round}`);
    back();
    const versions = new Set<string>();
    await withEveryQuorum(store, async () => {
      versions.add((await store.head('bucket', 'key')).version);
    });
    expect(versions.size).toBe(1);
  }
  await store.gc();
  expect(objectFiles(store).length).toBe(4);
});

test('disks that go and come in turn, with a delete or an upload each time, always show the last of both', async () => {
  const store = await newStore();
  const empty = tree(store.root);
  for (let round = 0; round < 9; round++) {
    const back = takeAway(store, DISKS[(round * 2) % 3] ?? '');
    if (round % 2 === 0) await store.put('bucket', 'key', Buffer.from(`round ${round}`));
    else await store.delete('bucket', 'key');
    back();
    if (round % 2 === 1) await withEveryQuorum(store, () => isGone(store, 'key'));
    else expect((await read(store, 'key')).toString()).toBe(`round ${round}`);
  }
  await store.delete('bucket', 'key');
  await store.gc();
  expect(tree(store.root)).toEqual(empty);
});

test.each(DISKS)('a bucket made while %s was away is whole once the disk is back', async (disk) => {
  const store = await newStore();
  const back = takeAway(store, disk);
  await store.createBucket('later');
  await store.put('later', 'before', Buffer.from('before'));
  back();
  const { failed } = await store.put('later', 'a/b/after', Buffer.from('after'));
  expect(failed).toEqual([]);
  expect(metaCopies(store, 'a/b/after', 'later').map((copy) => copy.disk)).toEqual(diskNames(store));
  await store.gc();
  expect(metaCopies(store, 'before', 'later').map((copy) => copy.disk)).toEqual(diskNames(store));
  await withEveryQuorum(store, async () => {
    const keys: string[] = [];
    for await (const { key } of store.list('later')) keys.push(key);
    expect(keys).toEqual(['a/b/after', 'before']);
  });
});

test.each(DISKS)(
  'a bucket deleted while %s was away does not come back, and gc removes what is left of it',
  async (disk) => {
    const store = await newStore();
    const before = tree(store.root);
    await store.createBucket('gone');
    await store.put('gone', 'key', Buffer.from('x'));
    await store.delete('gone', 'key');
    await store.put('gone', 'late', Buffer.from('x'));
    const back = takeAway(store, disk);
    await store.delete('gone', 'late');
    await store.deleteBucket('gone');
    back();
    await withEveryQuorum(store, async () => {
      expect((await store.listBuckets()).map(({ bucket }) => bucket)).toEqual(['bucket']);
      expect((await failure(store.head('gone', 'late'))).code).toBe('NO_SUCH_BUCKET');
      expect((await failure(store.put('gone', 'key', Buffer.from('x')))).code).toBe('NO_SUCH_BUCKET');
    });
    await store.gc();
    expect(tree(store.root)).toEqual(before);
  },
);

test('a bucket deleted and made anew while a disk was away is the new, empty one', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', Buffer.from('old'));
  const back = takeAway(store, 'disk3');
  await store.delete('bucket', 'key');
  await store.deleteBucket('bucket');
  await store.createBucket('bucket');
  back();
  await withEveryQuorum(store, async () => {
    expect(await keysOf(store)).toEqual([]);
  });
  await store.put('bucket', 'key', Buffer.from('new'));
  await store.gc();
  expect((await read(store, 'key')).toString()).toBe('new');
  expect(objectFiles(store).length).toBe(4);
});

test('an object deleted while a disk was away does not come back in a bucket that is deleted and made anew once it is there', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', Buffer.from('old'));
  const back = takeAway(store, 'disk3');
  await store.delete('bucket', 'key');
  back();
  await store.deleteBucket('bucket');
  await store.createBucket('bucket');
  await withEveryQuorum(store, () => isGone(store, 'key'));
  await store.gc();
  expect(objectFiles(store)).toEqual([]);
});
