import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import type { ObjectStore } from '../../../src/index.ts';
import { usage } from '../../../src/store/fleet/usage.ts';
import { contextOf } from '../../support/context.ts';
import { seededBytes } from '../../support/bytes.ts';
import { filesIn, MIB, newStore, takeAway } from '../../support/store.ts';
import { tempFolder } from '../../support/temp.ts';

/** Counted on the disks, without the library. */
function counted(store: ObjectStore, disk: string): { used: number; chunks: number; objects: number } {
  const folder = path.join(store.root, disk, 'chunks');
  const files = filesIn(folder);
  return {
    used: files.reduce((sum, file) => sum + fs.statSync(path.join(folder, file)).size, 0),
    chunks: files.length,
    objects: new Set(files.map((file) => path.dirname(file))).size,
  };
}

test('usage tells of each disk what lies on it, through overwrites, deletes, a new disk and a rebalance', async () => {
  const store = await newStore(5, { redundancy: '2+1' });
  const check = async (): Promise<void> => {
    for (const { disk, used, chunks, objects, state, staleMetas } of await store.usage()) {
      expect({ disk, used, chunks, objects }).toEqual({ disk, ...counted(store, disk) });
      expect([state.status, staleMetas]).toEqual(['online', 0]);
    }
  };
  await check();
  for (let index = 0; index < 10; index++) {
    await store.put('bucket', String(index), seededBytes((index * 333_333) % (4 * MIB), index), {
      redundancy: ['2+1', '1+0', '4+1', '1+2'][index % 4],
    });
  }
  await check();
  await store.put('bucket', '1', seededBytes(5 * MIB, 'again'));
  await store.delete('bucket', '9');
  await check();
  await store.addDisk('disk6', path.join(store.root, 'disk6'));
  await check();
  await store.rebalance();
  await check();
  await store.drainDisk('disk1');
  await check();
  expect((await store.usage()).map(({ role, chunks }) => [role, chunks === 0])).toEqual([
    ['draining', true],
    ...[2, 3, 4, 5, 6].map(() => ['member', false]),
  ]);
});

test('usage tells how each disk is: where, away, empty, foreign, stale, joining', async () => {
  const store = await newStore(7, { redundancy: '1+1' });
  const other = await newStore(7);
  const elsewhere = path.join(tempFolder(), 'elsewhere');
  fs.renameSync(path.join(store.root, 'disk7'), elsewhere);
  await store.replaceDisk('disk7', elsewhere);
  const back = takeAway(store, 'disk6');
  for (let index = 0; index < 3; index++) await store.put('bucket', String(index), Buffer.from('x'));
  await store.put('bucket', 'gone', Buffer.from('x'));
  await store.delete('bucket', 'gone');
  back();
  takeAway(store, 'disk2');
  takeAway(store, 'disk3');
  fs.mkdirSync(path.join(store.root, 'disk3'));
  takeAway(store, 'disk4');
  fs.renameSync(path.join(other.root, 'disk4'), path.join(store.root, 'disk4'));
  const usage = await store.usage();
  expect(usage.map(({ disk, path: where, state, staleMetas }) => [disk, where, state.status, staleMetas])).toEqual([
    ['disk1', 'disk1', 'online', 0],
    ['disk2', 'disk2', 'missing', undefined],
    ['disk3', 'disk3', 'empty', undefined],
    ['disk4', 'disk4', 'foreign', undefined],
    ['disk5', 'disk5', 'online', 0],
    // Three uploads and a delete.
    ['disk6', 'disk6', 'online', 4],
    ['disk7', elsewhere, 'online', 0],
  ]);
  for (const { state, total, free, isFull } of usage) {
    const isOnline = state.status === 'online';
    expect([total === undefined, free === undefined]).toEqual([!isOnline, !isOnline]);
    expect(isFull).toBe(false);
  }
  fs.rmdirSync(path.join(store.root, 'disk3'));
  await store.replaceDisk('disk3');
  expect((await store.usage())[2]).toMatchObject({ role: 'joining', state: { status: 'online' } });
});

test('usage of a bucket or prefix counts what its objects have on the disks, and nothing else', async () => {
  const store = await newStore(3);
  await store.createBucket('other');
  for (const [bucket, key, size] of [
    ['bucket', 'a/1', 1],
    ['bucket', 'b/1', 20],
    ['other', 'a/1', 300],
  ] as const)
    await store.put(bucket, key, seededBytes(size, key));
  const used = async (scope: { bucket?: string; prefix?: string }): Promise<number> =>
    (await store.usage(scope)).reduce((sum, disk) => sum + disk.used, 0);
  expect(await used({})).toBe(321);
  expect(await used({ bucket: 'bucket' })).toBe(21);
  expect(await used({ bucket: 'bucket', prefix: 'a' })).toBe(1);
  await expect(store.usage({ bucket: 'none' })).rejects.toMatchObject({ code: 'NO_SUCH_BUCKET' });
});

test('usage does not call a disk stale that was listed just before a key was written', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', Buffer.from('x'));
  const context = await contextOf(store, (disk) => {
    const listFolder = disk.list.bind(disk);
    // As it was a moment before.
    if (disk.name === 'disk1')
      disk.list = async (folder) => (await listFolder(folder)).filter(({ name }) => name !== 'key.meta.json');
    return disk;
  });
  expect((await usage(context, {})).map(({ staleMetas }) => staleMetas)).toEqual([0, 0, 0]);
});
