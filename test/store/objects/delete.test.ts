import * as fs from 'node:fs';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { ObjectStore } from '../../../src/index.ts';
import {
  failure,
  filesIn,
  forge,
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

test('a delete leaves nothing of the object: no meta, no chunk, no folder', async () => {
  const store = await newStore(3, { durability: 'fsync' });
  await store.put('bucket', 'a/b/beside', Buffer.from('beside'));
  const before = tree(store.root);
  for (const key of ['key', 'a/b/c/d', 'a/b', 'x'.repeat(1000), 'deep/'.repeat(20)]) {
    await store.put('bucket', key, seededBytes(4 * MIB + 1, key));
    await store.delete('bucket', key);
    expect(tree(store.root)).toEqual(before);
  }
});

test('deleting what is not there is NO_SUCH_KEY or NO_SUCH_BUCKET, and changes nothing', async () => {
  const store = await newStore();
  await store.put('bucket', 'a/b', Buffer.from('x'));
  await store.put('bucket', 'gone', Buffer.from('x'));
  await store.delete('bucket', 'gone');
  const before = tree(store.root);
  for (const key of ['none', 'gone', 'a', 'a/', 'a/b/', 'a/b.meta.json']) {
    expect(await failure(store.delete('bucket', key))).toMatchObject({ code: 'NO_SUCH_KEY', bucket: 'bucket', key });
  }
  expect(await failure(store.delete('none', 'key'))).toMatchObject({ code: 'NO_SUCH_BUCKET', bucket: 'none' });
  expect(tree(store.root)).toEqual(before);
});

test('what was deleted is not there for head, get, getToFile and list', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', Buffer.from('x'));
  await store.delete('bucket', 'key');
  const target = path.join(store.root, '..', 'out');
  const readers = [store.head('bucket', 'key'), store.get('bucket', 'key'), store.getToFile('bucket', 'key', target)];
  for (const { code } of await Promise.all(readers.map(failure))) expect(code).toBe('NO_SUCH_KEY');
  expect(await keysOf(store)).toEqual([]);
  expect(fs.existsSync(target)).toBe(false);
});

test('a delete with a disk away leaves a tombstone on the others and removes the chunks that it can reach', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', seededBytes(6 * MIB, 'chunks'));
  const back = takeAway(store, 'disk3');
  await store.delete('bucket', 'key');
  for (const disk of ['disk1', 'disk2']) expect(filesIn(path.join(store.root, disk, 'chunks'))).toEqual([]);
  const tombstones = metaCopies(store, 'key').map(({ text }) => JSON.parse(text) as Record<string, unknown>);
  expect(tombstones.map((tombstone) => tombstone['deleted'])).toEqual([true, true]);
  back();
  expect(filesIn(path.join(store.root, 'disk3', 'chunks')).length).toBe(2);
  expect(await store.gc()).toMatchObject({ tombstones: 1, leftoverChunks: 2, leftoverBytes: 2 * MIB });
  expect(objectFiles(store)).toEqual([]);
});

test('one damaged or missing meta copy does not keep a delete from leaving nothing', async () => {
  const store = await newStore();
  const before = tree(store.root);
  for (const harm of [
    (file: string) => {
      fs.writeFileSync(file, 'damaged');
    },
    fs.rmSync,
  ]) {
    await store.put('bucket', 'a/key', seededBytes(MIB, 'x'));
    harm(metaCopies(store, 'a/key')[1]?.file ?? '');
    await store.delete('bucket', 'a/key');
    expect(tree(store.root)).toEqual(before);
  }
});

test('a delete while disk clocks or metas are ahead of this clock still deletes', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', Buffer.from('x'));
  for (const { file } of metaCopies(store, 'key'))
    forge(file, (meta) => (meta['version'] = '0fff0000-0000-7000-8000-000000000000'));
  const back = takeAway(store, 'disk1');
  await store.delete('bucket', 'key');
  back();
  expect((await failure(store.head('bucket', 'key'))).code).toBe('NO_SUCH_KEY');
});

test('a bucket is made, listed, found to exist, and deleted without a trace', async () => {
  const store = await newStore(3, { durability: 'fsync' });
  const before = tree(store.root);
  await store.createBucket('my-bucket');
  await store.createBucket('a.bucket');
  const buckets = await store.listBuckets();
  expect(buckets.map(({ bucket }) => bucket)).toEqual(['a.bucket', 'bucket', 'my-bucket']);
  for (const { createdAt } of buckets) expect(new Date(createdAt).toISOString()).toBe(createdAt);
  expect(await failure(store.createBucket('my-bucket'))).toMatchObject({ code: 'BUCKET_EXISTS', bucket: 'my-bucket' });
  await store.ensureBucket('my-bucket');
  await store.deleteBucket('my-bucket');
  await store.deleteBucket('a.bucket');
  expect(await failure(store.deleteBucket('my-bucket'))).toMatchObject({ code: 'NO_SUCH_BUCKET', bucket: 'my-bucket' });
  expect(tree(store.root)).toEqual(before);
});

test('a bucket that holds an object, however deep, is BUCKET_NOT_EMPTY, and stays as it is', async () => {
  const store = await newStore();
  for (const key of ['key', 'a/b/c/', '.bucket.json']) {
    await store.put('bucket', key, Buffer.from('x'));
    const before = tree(store.root);
    expect(await failure(store.deleteBucket('bucket'))).toMatchObject({
      code: 'BUCKET_NOT_EMPTY',
      bucket: 'bucket',
      key,
    });
    expect(tree(store.root)).toEqual(before);
    await store.delete('bucket', key);
  }
  await store.deleteBucket('bucket');
});

test('a bucket whose only object has all its metas damaged is not deleted as if it were empty', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', Buffer.from('x'));
  for (const { file } of metaCopies(store, 'key')) fs.writeFileSync(file, 'damaged');
  expect((await failure(store.deleteBucket('bucket'))).code).toBe('META_DAMAGED');
  await store.put('bucket', 'key', Buffer.from('again'));
  expect((await read(store, 'key')).toString()).toBe('again');
});

test('a put into a missing bucket is NO_SUCH_BUCKET and leaves nothing, also where the bucket was there a moment ago', async () => {
  const store = await newStore();
  const other = await ObjectStore.open(store.root);
  await store.createBucket('second');
  await store.put('second', 'key', Buffer.from('x'));
  await store.delete('second', 'key');
  await other.deleteBucket('second');
  const before = tree(store.root);
  for (const bucket of ['second', 'none']) {
    expect(await failure(store.put(bucket, 'key', seededBytes(2 * MIB, 'x')))).toMatchObject({
      code: 'NO_SUCH_BUCKET',
      bucket,
    });
  }
  expect(tree(store.root)).toEqual(before);
});

test('a bucket that another store object deletes while an upload to it is under way: the upload leaves nothing', async () => {
  const store = await newStore();
  await store.createBucket('second');
  const before = tree(store.root).filter((line) => !line.includes('buckets/second'));
  async function* source(): AsyncGenerator<Buffer> {
    yield seededBytes(MIB, 1);
    await (await ObjectStore.open(store.root)).deleteBucket('second');
    yield seededBytes(MIB, 2);
  }
  expect((await failure(store.put('second', 'key', Readable.from(source())))).code).toBe('NO_SUCH_BUCKET');
  expect(tree(store.root)).toEqual(before);
});

test('a bucket made anew is empty and works, many times over', async () => {
  const store = await newStore();
  for (let round = 0; round < 5; round++) {
    await store.put('bucket', 'key', Buffer.from(String(round)));
    expect((await read(store, 'key')).toString()).toBe(String(round));
    await store.delete('bucket', 'key');
    await store.deleteBucket('bucket');
    expect((await failure(store.head('bucket', 'key'))).code).toBe('NO_SUCH_BUCKET');
    await store.createBucket('bucket');
    expect(await keysOf(store)).toEqual([]);
  }
});

test('of many who create one bucket at once, one makes it; of many who delete it at once, one does', async () => {
  const store = await newStore();
  for (const work of [() => store.createBucket('second'), () => store.deleteBucket('second')]) {
    const results = await Promise.all(
      Array.from({ length: 8 }, () =>
        work().then(
          () => 'done',
          (error: unknown) => error,
        ),
      ),
    );
    expect(results.filter((result) => result === 'done').length).toBe(1);
  }
  await Promise.all(Array.from({ length: 8 }, () => store.ensureBucket('third')));
  expect((await store.listBuckets()).map(({ bucket }) => bucket)).toEqual(['bucket', 'third']);
});

test('a bucket whose documents are all damaged is named so, and what is in it can still be read', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', Buffer.from('x'));
  for (const disk of ['disk1', 'disk2', 'disk3'])
    fs.writeFileSync(path.join(store.root, disk, 'buckets/bucket/.bucket.json'), '{}');
  expect((await read(store, 'key')).toString()).toBe('x');
  expect((await failure(store.put('bucket', 'key', Buffer.from('y')))).code).toBe('META_DAMAGED');
  expect((await failure(store.deleteBucket('bucket'))).code).toBe('META_DAMAGED');
  expect((await read(store, 'key')).toString()).toBe('x');
});
