import * as path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { ObjectStore } from '../../../src/index.ts';
import { gate } from '../../support/context.ts';
import { expectAll } from '../../support/shards.ts';
import { diskNames, failure, metaCopies, newStore, read } from '../../support/store.ts';
import * as fs from 'node:fs';
import type * as readFile from '../../../src/files/read-file.ts';

/** Holds up who has read a text. */
const reading = vi.hoisted((): { done: (file: string) => Promise<void> } => ({ done: () => Promise.resolve() }));
vi.mock('../../../src/files/read-file.ts', async (original) => {
  const actual = await original<typeof readFile>();
  const readText: typeof readFile.readText = async (file) => {
    const text = await actual.readText(file);
    await reading.done(file);
    return text;
  };
  return { ...actual, readText };
});

test('a store object notices that disks were added, drained, replaced and removed, whatever it does next', async () => {
  const store = await newStore(4, { redundancy: '1+1' });
  const objects = new Map([['key', Buffer.from('bytes')]]);
  await store.put('bucket', 'key', Buffer.from('bytes'));
  const operations: ((other: ObjectStore) => Promise<unknown>)[] = [
    (other) => read(other, 'key'),
    (other) => other.head('bucket', 'key'),
    (other) => other.put('bucket', 'new', Buffer.from('new')),
    (other) => other.verify(),
    (other) => other.usage(),
    (other) => other.gc(),
    (other) => other.listBuckets(),
    (other) => other.createBucket(`b${String(Math.random()).slice(2)}`),
    (other) => other.list('bucket').next(),
    (other) => other.ensureBucket('bucket'),
  ];
  let number = 4;
  for (const operation of operations) {
    const other = await ObjectStore.open(store.root);
    const name = `disk${++number}`;
    await store.addDisk(name, path.join(store.root, name));
    await operation(other);
    expect(diskNames(other)).toContain(name);
    await store.drainDisk(name);
    await operation(other);
    expect(other.document.disks.at(-1)?.role).toBe('draining');
    await store.removeDisk(name);
    await operation(other);
    expect(diskNames(other)).not.toContain(name);
  }
  await expectAll(store, objects);
});

test('what tells of the disks tells of those that the store has now', async () => {
  const store = await newStore(3);
  const other = await ObjectStore.open(store.root);
  await store.addDisk('disk4', path.join(store.root, 'disk4'));
  expect((await other.disks()).map(({ disk }) => disk)).toEqual(['disk1', 'disk2', 'disk3', 'disk4']);
});

test('a look at store.json that comes late never puts an older one in the place of a newer', async () => {
  const store = await newStore(3);
  const other = await ObjectStore.open(store.root);
  const begun = gate();
  const going = gate();
  let reads = 0;
  onTestFinished(() => {
    reading.done = () => Promise.resolve();
  });
  await store.addDisk('disk4', path.join(store.root, 'disk4'));
  reading.done = async (file) => {
    if (!file.endsWith('store.json') || ++reads !== 1) return;
    begun.open();
    await going.opened;
  };
  // One reader has read store.json with four disks, and is slow to say so.
  const late = other.head('bucket', 'nothing').catch(() => undefined);
  await begun.opened;
  await store.addDisk('disk5', path.join(store.root, 'disk5'));
  await other.listBuckets();
  expect(diskNames(other).length).toBe(5);
  going.open();
  // Those who commit at that moment hold the disks as they are now, and may not find themselves with others.
  for (let turn = 0; turn < 5; turn++) {
    await Promise.resolve();
    expect(diskNames(other).length).toBe(5);
  }
  await new Promise((resolve) => setImmediate(resolve));
  expect(diskNames(other).length).toBe(5);
  await late;
});

test('a store whose store.json has gone, or is another store’s, is not written to', async () => {
  const store = await newStore(3);
  await store.put('bucket', 'key', Buffer.from('x'));
  fs.rmSync(path.join(store.root, 'store.json'));
  expect(await failure(store.put('bucket', 'new', Buffer.from('x')))).toMatchObject({ code: 'STORE_NOT_FOUND' });
  const another = await newStore(3);
  fs.copyFileSync(path.join(another.root, 'store.json'), path.join(store.root, 'store.json'));
  expect(await failure(store.put('bucket', 'new', Buffer.from('x')))).toMatchObject({
    code: 'TOO_FEW_DISKS_TO_WRITE',
    found: 0,
  });
  expect(metaCopies(store, 'new')).toEqual([]);
});
