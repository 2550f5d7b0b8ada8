import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Failures } from '../../../src/disks/disk.ts';
import { StoreError, type DeleteItem, type DeleteOutcome, type ObjectStore } from '../../../src/index.ts';
import { KernelLocks } from '../../../src/locks/kernel-locks.ts';
import { lockName } from '../../../src/locks/locks.ts';
import { deleteTogether, type DeletedTogether } from '../../../src/store/objects/delete-together.ts';
import { deleteMany, Deletes } from '../../../src/store/objects/deletes.ts';
import { contextOf } from '../../support/context.ts';
import { DISK_KINDS, storeOn } from '../../support/disk-kinds.ts';
import { FaultyDisk, type PlannedFault } from '../../support/faulty-disk.ts';
import { failure, keysOf, metaCopies, MIB, newStore, objectFiles, read, takeAway } from '../../support/store.ts';

async function fill(store: ObjectStore, count = 20): Promise<DeleteItem[]> {
  const items = Array.from({ length: count }, (_, index) => ({ bucket: 'bucket', key: `folder${index % 3}/${index}` }));
  for (const { key } of items) await store.put('bucket', key, Buffer.from(key));
  return items;
}

/** The outcomes in the order in which they came: the code of an error, or `done`. */
async function outcomesOf(outcomes: AsyncIterable<DeleteOutcome<DeleteItem>>): Promise<string[]> {
  const found: string[] = [];
  for await (const outcome of outcomes) found.push('error' in outcome ? outcome.error.code : 'done');
  return found;
}

function words(outcomes: readonly DeletedTogether[]): string[] {
  return outcomes.map((outcome) => (typeof outcome === 'string' ? outcome : 'error'));
}

/** A view of the store whose disk2 has a fault. */
function faultyContext(store: ObjectStore, ...faults: PlannedFault[]) {
  return contextOf(store, (disk) => (disk.name === 'disk2' ? new FaultyDisk(disk, faults) : disk));
}

describe.each(DISK_KINDS)('objects that are deleted together, on $kind', (kind) => {
  test('leave nothing, and those beside them stay', async () => {
    const store = await storeOn(kind);
    await store.put('bucket', 'folder0/stays', Buffer.from('stays'));
    const items = await fill(store);
    await store.put('bucket', 'large', Buffer.alloc(2 * MIB + 1));
    const all = [...items, { bucket: 'bucket', key: 'large' }];
    expect(new Set(await outcomesOf(store.deleteMany(all)))).toEqual(new Set(['done']));
    expect(await keysOf(store)).toEqual(['folder0/stays']);
    expect(String(await read(store, 'folder0/stays'))).toBe('stays');
    expect(await store.gc()).toMatchObject({ leftoverChunks: 0, tombstones: 0, stagedFiles: 0, kept: [] });
  });
});

describe('objects that are deleted together', () => {
  test('are told of one by one: what is not there, is given twice, or can have no such name', async () => {
    const store = await newStore();
    const items = await fill(store, 8);
    const none = { bucket: 'bucket', key: 'none' };
    const bad = { bucket: 'bucket', key: '' };
    const found = new Map<string, string[]>();
    for await (const outcome of store.deleteMany([...items, none, bad, ...items.slice(0, 2)])) {
      const word = 'error' in outcome ? outcome.error.code : 'done';
      found.set(outcome.item.key, [...(found.get(outcome.item.key) ?? []), word]);
    }
    expect(found.get('none')).toEqual(['NO_SUCH_KEY']);
    expect(found.get('')).toEqual(['BAD_KEY']);
    expect(found.get('folder0/0')).toEqual(['done', 'NO_SUCH_KEY']);
    expect(found.get('folder2/5')).toEqual(['done']);
    expect(objectFiles(store)).toEqual([]);
  });

  test('side by side by single calls too, as those of a bucket that is not there', async () => {
    const store = await newStore();
    const items = await fill(store);
    await Promise.all(items.map(({ bucket, key }) => store.delete(bucket, key)));
    expect(objectFiles(store)).toEqual([]);
    const errors = await Promise.all(items.map(({ key }) => failure(store.delete('nobodys', key))));
    expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(['NO_SUCH_BUCKET']));
  });

  test('what a delete that died has left undone is ended, before it is said that there is none', async () => {
    const store = await newStore();
    const items = await fill(store);
    const [half, whole] = ['folder0/0', 'folder1/1'];
    fs.rmSync(metaCopies(store, half)[0]?.file ?? '');
    for (const { file } of metaCopies(store, whole)) fs.rmSync(file);
    const removed: string[] = [];
    const context = await contextOf(store, (disk) => {
      const removeMany = disk.removeMany.bind(disk);
      disk.removeMany = (files, options) => {
        removed.push(...files.map((file) => `${disk.name}/${file.path}`));
        return removeMany(files, options);
      };
      return disk;
    });
    const outcomes = await deleteTogether(context, items);
    expect(words(outcomes)).toEqual(items.map(({ key }) => (key === whole ? 'error' : 'done')));
    for (const disk of ['disk1', 'disk2', 'disk3'])
      expect(removed).toContain(`${disk}/buckets/bucket/${whole}.meta.json`);
    expect(await keysOf(store)).toEqual([]);
  });

  test('with a disk away each leaves a tombstone, and none returns with the disk', async () => {
    const store = await newStore();
    const items = await fill(store);
    const back = takeAway(store, 'disk3');
    expect(words(await deleteTogether(await contextOf(store), items))).toEqual(items.map(() => 'alone'));
    expect(new Set(await outcomesOf(store.deleteMany(items)))).toEqual(new Set(['done']));
    back();
    expect(await keysOf(store)).toEqual([]);
    expect((await store.gc()).tombstones).toBe(items.length);
    expect(objectFiles(store)).toEqual([]);
  });

  test.each([
    ['fails', (found: Failures): Failures => found],
    ['looks as if it had nothing', (): Failures => new Map()],
  ])('a disk that goes between the two looks at it, and %s, brings none back', async (_, told) => {
    const store = await newStore();
    const items = await fill(store);
    let back = (): void => undefined;
    const context = await contextOf(store, (disk) => {
      if (disk.name !== 'disk3') return disk;
      const removeMany = disk.removeMany.bind(disk);
      let hasGone = false;
      disk.removeMany = async (files, options) => {
        if (!hasGone) back = takeAway(store, 'disk3');
        hasGone = true;
        return told(await removeMany(files, options));
      };
      return disk;
    });
    expect(words(await deleteTogether(context, items))).toEqual(items.map(() => 'done'));
    back();
    expect(await keysOf(store)).toEqual([]);
    for (const { key } of items) expect((await failure(store.head('bucket', key))).code).toBe('NO_SUCH_KEY');
  });

  test('one that a disk can not remove is deleted all the same, with a tombstone', async () => {
    const store = await newStore();
    const items = await fill(store);
    const key = 'folder1/4';
    const effect = { kind: 'fail', errno: 'EIO' } as const;
    const fault: PlannedFault = { operation: 'remove', path: new RegExp(`/${key}`), times: Infinity, effect };
    const context = await faultyContext(store, fault);
    expect(words(await deleteTogether(context, items))).toEqual(items.map(() => 'done'));
    expect(await keysOf(store)).toEqual([]);
    expect(metaCopies(store, key).map(({ text }) => (JSON.parse(text) as { deleted?: true }).deleted)).toEqual(
      metaCopies(store, key).map(() => true),
    );
    expect(objectFiles(store).filter((file) => !file.includes(key))).toEqual([]);
  });

  test('what a disk could not sync gets tombstones, and what it loses with the power brings none back', async () => {
    const store = await newStore(3, { durability: 'fsync' });
    const items = await fill(store);
    const buckets = path.join(store.root, 'disk2', 'buckets');
    const before = `${store.root}-buckets`;
    fs.cpSync(buckets, before, { recursive: true });
    const context = await contextOf(store, (disk) => {
      if (disk.name !== 'disk2') return disk;
      const removeMany = disk.removeMany.bind(disk);
      disk.removeMany = async (files, options) => {
        await removeMany(files, options);
        const error = new StoreError('DISK_IO', 'cannot sync', { disk: 'disk2', errno: 'EIO' });
        return new Map(options.durable ? files.map((_, index) => [index, error]) : []);
      };
      return disk;
    });
    expect(words(await deleteTogether(context, items))).toEqual(items.map(() => 'done'));
    fs.rmSync(buckets, { recursive: true });
    fs.renameSync(before, buckets);
    expect(await keysOf(store)).toEqual([]);
    expect(await store.gc()).toMatchObject({ leftoverChunks: 0, tombstones: items.length, kept: [], failed: [] });
    expect(objectFiles(store)).toEqual([]);
  });

  test('one that can be neither removed nor marked as deleted is whole again, and its failure is its own', async () => {
    const store = await newStore();
    const items = await fill(store);
    const key = 'folder1/4';
    const effect = { kind: 'fail', errno: 'EIO' } as const;
    const faults = (['remove', 'publish'] as const).map((operation): PlannedFault => ({
      operation,
      path: new RegExp(`/${key}`),
      nth: 1,
      times: 2,
      effect,
    }));
    const context = await contextOf(store, (disk) => (disk.name === 'disk1' ? disk : new FaultyDisk(disk, faults)));
    const outcomes = await deleteTogether(context, items);
    expect(words(outcomes)).toEqual(items.map((item) => (item.key === key ? 'error' : 'done')));
    expect(await keysOf(store)).toEqual([key]);
    expect(String(await read(store, key))).toBe(key);
    expect((await store.gc()).leftoverChunks).toBe(0);
    expect(String(await read(store, key))).toBe(key);
  });

  test('waits for no key that somebody else has, and for none of its readers', async () => {
    const store = await newStore();
    const items = await fill(store);
    const session = await new KernelLocks(path.join(store.root, '.lock')).open('write');
    await session.lock(lockName.key('bucket', 'folder1/1'), 'exclusive');
    const { body } = await store.get('bucket', 'folder2/2');
    const outcomes = await deleteTogether(await contextOf(store), items);
    expect(words(outcomes)).toEqual(items.map(({ key }) => (key === 'folder1/1' ? 'alone' : 'done')));
    await session.close();
    const pieces: Buffer[] = [];
    for await (const piece of body) pieces.push(piece as Buffer);
    expect(String(Buffer.concat(pieces))).toBe('folder2/2');
    expect(await keysOf(store)).toEqual(['folder1/1']);
    expect((await store.gc()).leftoverChunks).toBe(1);
  });

  test('an object that is put meanwhile is whole or gone, and what is said of the delete is so', async () => {
    const store = await newStore();
    const items = await fill(store);
    const puts = items.map(({ key }) => ({ bucket: 'bucket', key, source: Buffer.from(`new ${key}`) }));
    const putting = (async () => {
      for await (const outcome of store.putMany(puts)) expect(outcome).not.toHaveProperty('error');
    })();
    expect(new Set(await outcomesOf(store.deleteMany(items)))).toEqual(new Set(['done']));
    await putting;
    for (const key of await keysOf(store)) expect(String(await read(store, key))).toBe(`new ${key}`);
    expect(await store.gc()).toMatchObject({ leftoverChunks: 0, settled: 0 });
  });

  test('an interruption before its turn leaves an object as it is', async () => {
    const store = await newStore();
    const items = await fill(store);
    const signal = AbortSignal.abort();
    const deletes = new Deletes(await contextOf(store));
    const outcomes = await outcomesOf(
      deleteMany(
        deletes,
        items.map((item) => ({ ...item, signal })),
      ),
    );
    expect(new Set(outcomes)).toEqual(new Set(['ABORTED']));
    const some = items.map((item, index) => (index % 2 === 0 ? { ...item, signal } : item));
    const together = words(await deleteTogether(await contextOf(store), some));
    expect(together).toEqual(items.map((_, index) => (index % 2 === 0 ? 'alone' : 'done')));
    expect(await keysOf(store)).toHaveLength(items.length / 2);
  });
});
