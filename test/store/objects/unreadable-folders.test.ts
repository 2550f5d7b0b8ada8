import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { FaultyDisk, type FaultyOperation, type PlannedFault } from '../../support/faulty-disk.ts';
import type { ObjectStore } from '../../../src/index.ts';
import { rebalance } from '../../../src/store/fleet/balance.ts';
import { deleteBucket, listBuckets } from '../../../src/store/objects/buckets.ts';
import type { StoreContext } from '../../../src/store/protocol/context.ts';
import { deleteObject } from '../../../src/store/objects/delete.ts';
import { addDisk } from '../../../src/store/fleet/add.ts';
import { setDraining } from '../../../src/store/fleet/drain.ts';
import { gc } from '../../../src/store/health/gc.ts';
import { heal } from '../../../src/store/health/heal.ts';
import { list, type ListOptions } from '../../../src/store/objects/list.ts';
import { moveAll } from '../../../src/store/fleet/move.ts';
import { Relocation } from '../../../src/store/health/relocation.ts';
import { usage } from '../../../src/store/fleet/usage.ts';
import { verify } from '../../../src/store/health/verify.ts';
import { seededBytes } from '../../support/bytes.ts';
import { contextOf } from '../../support/context.ts';
import { obstruct } from '../../support/obstacles.ts';
import { failure, keysOf, MIB, newStore, takeAway } from '../../support/store.ts';

const KEYS = ['a/one', 'a/two', 'top'];

async function filled(): Promise<ObjectStore> {
  const store = await newStore(4, { redundancy: '2+1' });
  for (const key of KEYS) await store.put('bucket', key, seededBytes(2 * MIB, key));
  return store;
}

/** The store as a process has it for which some disks give EIO for a folder, or for everything in it too. */
function failing(
  store: ObjectStore,
  folder: string,
  disks: readonly string[],
  operations: readonly FaultyOperation[] = ['list'],
): Promise<StoreContext> {
  const faults = operations.map((operation): PlannedFault => ({
    operation,
    path: operation === 'list' ? new RegExp(`^${folder}(/|$)`) : new RegExp(`^${folder}/`),
    times: Infinity,
    effect: { kind: 'fail', errno: 'EIO' },
  }));
  return contextOf(store, (disk) => (disks.includes(disk.name) ? new FaultyDisk(disk, faults) : disk));
}

async function listed(context: StoreContext, options: ListOptions = {}): Promise<string[]> {
  const names: string[] = [];
  for await (const entry of list(context, 'bucket', options))
    names.push(entry.kind === 'object' ? entry.key : entry.prefix);
  return names;
}

const everything: FaultyOperation[] = ['list', 'read', 'stat', 'stage', 'remove', 'makeFolder', 'removeFolder'];

test.each(['buckets', 'buckets/bucket', 'buckets/bucket/a'])(
  'EIO for %s on one disk: the others answer, the reports name disk and folder, and heal mends what is anybody else’s',
  async (folder) => {
    for (const operations of [['list'] as const, everything]) {
      const store = await filled();
      const context = await failing(store, folder, ['disk2'], operations);
      const unreadable = [{ disk: 'disk2', path: folder, reason: expect.stringContaining('EIO') as string }];
      expect((await listBuckets(context, false)).map(({ bucket }) => bucket)).toEqual(['bucket']);
      expect(await listed(context)).toEqual(KEYS);
      expect(await listed(context, { folders: true })).toEqual(['a/', 'top']);
      expect(await verify(context, {})).toMatchObject({ objects: 3, lost: 0, unreadable });
      expect((await usage(context, {})).map((entry) => entry.unreadable)).toEqual([[], unreadable, [], []]);
      expect((await gc(context, {})).kept[0]).toContain(`list ${folder}: EIO`);
      expect(await rebalance(context, {})).toMatchObject({ failed: [] });
      await setDraining(context, 'disk4', false, {});
      expect(await moveAll(context, {}, (view) => Relocation.of(context, view))).toMatchObject({ failed: [] });
      await setDraining(context, 'disk4', true, {});
      fs.rmSync(path.join(store.root, 'disk3', 'chunks'), { recursive: true });
      fs.rmSync(path.join(store.root, 'disk3', 'buckets', 'bucket', 'a', 'one.meta.json'));
      const healed = await heal(context, {});
      expect(healed).toMatchObject({ objects: 3, lost: 0, unreadable });
      expect(healed.rebuilt).toBeGreaterThan(0);
      // disk2 has nothing wrong but in this process, or has missed what was moved.
      const hurt: string[] = [];
      await store.verify({ onObject: ({ problems }) => void hurt.push(...problems.map(({ disk }) => disk)) });
      expect(hurt.filter((disk) => disk !== 'disk2')).toEqual([]);
      expect(await failure(deleteBucket(context, 'bucket', {}))).toMatchObject({ code: 'BUCKET_NOT_EMPTY' });
      for (const key of KEYS) await deleteObject(context, 'bucket', key, {});
      await deleteBucket(context, 'bucket', {});
      expect(await listBuckets(context, false)).toEqual([]);
    }
  },
);

test('where fewer than R disks can list a folder, a list ends with an error that names disks and reason, or tells of it and goes on', async () => {
  const store = await filled();
  const context = await failing(store, 'buckets/bucket/a', ['disk1', 'disk2', 'disk3']);
  const error = await failure(listed(context));
  expect(error).toMatchObject({
    code: 'TOO_FEW_DISKS_TO_READ',
    expected: 2,
    found: 1,
    disks: ['disk1', 'disk2', 'disk3'],
  });
  expect(error.message).toMatch(/1 of 4 disks can list buckets\/bucket\/a.*disk "disk1".*EIO.*disk "disk2"/);
  const told: string[] = [];
  expect(await listed(context, { onDamaged: (name, { code }) => told.push(`${name} ${code}`) })).toEqual(['top']);
  expect(told).toEqual(['a/ TOO_FEW_DISKS_TO_READ']);
  expect(await listed(context, { allowStale: true })).toEqual(KEYS);
  // Reports go on; what must know of every object refuses.
  expect((await verify(context, {})).unreadable.map(({ disk }) => disk)).toEqual(['disk1', 'disk2', 'disk3']);
  expect((await heal(context, {})).unreadable.length).toBe(3);
  expect((await gc(context, {})).kept.length).toBe(3);
  expect((await usage(context, {})).map(({ unreadable }) => unreadable.length)).toEqual([1, 1, 1, 0]);
  expect(await failure(setDraining(context, 'disk4', false, {}))).toMatchObject({ code: 'TOO_FEW_DISKS_TO_READ' });
  expect(await moveAll(context, {}, (view) => Relocation.of(context, view))).toMatchObject({
    failed: [expect.stringContaining('can list buckets/bucket/a')],
  });
  const buckets = await failing(store, 'buckets', ['disk1', 'disk2', 'disk3']);
  expect(await failure(listBuckets(buckets, false))).toMatchObject({ code: 'TOO_FEW_DISKS_TO_READ' });
  expect((await listBuckets(buckets, true)).length).toBe(1);
});

test('a disk that cannot read a folder does not say of the keys in it that there are none', async () => {
  const store = await newStore(3, { redundancy: '1+2' });
  const back = takeAway(store, 'disk3');
  await store.put('bucket', 'a/key', Buffer.from('on disk1 and disk2'));
  back();
  takeAway(store, 'disk1');
  await obstruct(path.join(store.root, 'disk2', 'buckets/bucket'), 'file');
  expect(await failure(keysOf(store))).toMatchObject({ code: 'TOO_FEW_DISKS_TO_READ' });
  // The folder is listed, but not what is in it.
  const other = await newStore(3, { redundancy: '1+2' });
  await other.put('bucket', 'a/old', Buffer.from('old'));
  const again = takeAway(other, 'disk3');
  await other.put('bucket', 'a/key', Buffer.from('on disk1 and disk2'));
  again();
  takeAway(other, 'disk1');
  await obstruct(path.join(other.root, 'disk2', 'buckets/bucket/a'), 'loop');
  expect(await failure(keysOf(other))).toMatchObject({ code: 'TOO_FEW_DISKS_TO_READ', disk: 'disk2' });
});

test('what a disk cannot take does not keep the metas from the others that lack them', async () => {
  const store = await filled();
  await obstruct(path.join(store.root, 'disk2', 'buckets/bucket/a'), 'file');
  fs.rmSync(path.join(store.root, 'disk3', 'buckets'), { recursive: true });
  await store.heal();
  for (const key of KEYS)
    expect(fs.existsSync(path.join(store.root, 'disk3', 'buckets/bucket', `${key}.meta.json`))).toBe(true);
  expect(fs.existsSync(path.join(store.root, 'disk3', 'buckets/bucket/.bucket.json'))).toBe(true);
});

test('tombstones stay as long as a copy that cannot be read may be an older one: nothing returns with the folder', async () => {
  const store = await filled();
  const context = await failing(store, 'buckets/bucket/a', ['disk2'], everything);
  await store.delete('bucket', 'top');
  const back = await obstruct(path.join(store.root, 'disk2', 'buckets/bucket/a'), 'fifo');
  await store.delete('bucket', 'a/one');
  back();
  for (let times = 0; times < 2; times++) {
    const report = await heal(context, {});
    expect(report.failed.join('\n')).toContain('EIO');
    await gc(context, {});
  }
  expect(await keysOf(store)).toEqual(['a/two']);
  await store.heal();
  expect(await keysOf(store)).toEqual(['a/two']);
  expect(await store.verify()).toMatchObject({ objects: 1, whole: 1 });
});

test('a disk does not join as long as another cannot list a folder: which metas it holds is not known', async () => {
  const store = await filled();
  const context = await failing(store, 'buckets/bucket/a', ['disk2']);
  const error = await failure(addDisk(context, 'disk5', path.join(store.root, 'disk5'), {}));
  expect(error.message).toMatch(/has not got all metas yet.*disk "disk2" failed: cannot list buckets\/bucket\/a/);
  expect((await heal(context, {})).joined).toEqual([]);
  expect((await store.heal()).joined).toEqual(['disk5']);
});

test('what stands below buckets and is no bucket and no key is nobody’s concern', async () => {
  const store = await filled();
  const buckets = path.join(store.root, 'disk2', 'buckets');
  fs.cpSync(path.join(buckets, 'bucket'), path.join(buckets, '.old copy'), { recursive: true });
  fs.writeFileSync(path.join(buckets, 'notes.txt'), '');
  fs.writeFileSync(path.join(buckets, 'bucket', 'notes.txt'), '');
  fs.writeFileSync(path.join(buckets, 'bucket', '%.meta.json'), '');
  const deep = path.join(buckets, 'bucket', ...Array.from({ length: 8 }, () => 'x'.repeat(180)));
  fs.mkdirSync(deep, { recursive: true });
  fs.writeFileSync(path.join(deep, 'too-long.meta.json'), '');
  expect(await keysOf(store)).toEqual(KEYS);
  expect(await store.verify()).toMatchObject({ objects: 3, whole: 3, unreadable: [] });
  expect(await store.heal()).toMatchObject({ whole: 3, failed: [], unreadable: [] });
  expect(await store.usage()).toHaveLength(4);
});

test('a folder of a version that cannot be listed ends no gc: the others are swept, and it is named', async () => {
  const store = await filled();
  const context = await failing(store, 'chunks/[^/]+', ['disk2']);
  fs.rmSync(path.join(store.root, 'disk2', 'buckets/bucket/top.meta.json'));
  const report = await gc(context, {});
  expect(report.failed.length).toBeGreaterThan(0);
  expect(report.settled).toBe(1);
  expect(report.failed[0]).toContain('EIO');
});
