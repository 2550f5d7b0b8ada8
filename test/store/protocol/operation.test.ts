import * as fs from 'node:fs';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { Disk } from '../../../src/disks/disk.ts';
import { ObjectStore, type StoreDocument } from '../../../src/index.ts';
import { createBucket, deleteBucket } from '../../../src/store/objects/buckets.ts';
import { deleteObject } from '../../../src/store/objects/delete.ts';
import { put } from '../../../src/store/objects/put.ts';
import { mintVersion } from '../../../src/store/protocol/clock.ts';
import type { StoreContext } from '../../../src/store/protocol/context.ts';
import { Operation } from '../../../src/store/protocol/operation.ts';
import { FaultyDisk, type FaultyOperation, type PlannedFault } from '../../support/faulty-disk.ts';
import { contextOf } from '../../support/context.ts';
import { failure, newStore, read, takeAway } from '../../support/store.ts';

/** Two disks of three publish nothing of this name, and don't remove it either. */
function broken(file: RegExp): (disk: Disk) => Disk {
  const fault = (operation: FaultyOperation): PlannedFault => ({
    operation,
    path: file,
    times: Infinity,
    effect: { kind: 'fail', errno: 'EIO' },
  });
  return (disk) => new FaultyDisk(disk, disk.name === 'disk1' ? [] : [fault('publish'), fault('remove')]);
}

const PUT = (context: StoreContext): Promise<unknown> =>
  put(context, { bucket: 'bucket', key: 'key' }, Buffer.from('new'), {});

describe('an operation', () => {
  test.each<[string, RegExp, (context: StoreContext) => Promise<unknown>]>([
    ['an upload', /\.meta\.json$/, PUT],
    ['a delete', /\.meta\.json$/, (context) => deleteObject(context, 'bucket', 'key', {})],
    ['a new bucket', /\.bucket\.json$/, (context) => createBucket(context, 'another', {})],
    ['a bucket that goes', /\.bucket\.json$/, (context) => deleteBucket(context, 'empty', {})],
    ['a horizon', /^horizon\.json$/, PUT],
  ])('leaves a mark where it takes back %s', async (_, file, work) => {
    const store = await newStore();
    await store.put('bucket', 'key', Buffer.from('old'));
    await store.createBucket('empty');
    fs.unlinkSync(path.join(store.root, '.lock.note'));
    const failing = await contextOf(store, broken(file));
    const session = await failing.locks.open('read');
    const before = await session.stamp();
    expect((await failure(work(failing))).message).toContain('too few disks took the write (2 must)');
    expect(await session.stamp()).not.toBe(before);
    await session.close();
    expect((await read(store, 'key')).toString()).toBe('old');
    expect((await store.listBuckets()).map(({ bucket }) => bucket)).toEqual(['bucket', 'empty']);
  });

  test.each([
    ['has lost the role of a member', undefined, 'joining'],
    ['has become a member', 'joining', undefined],
  ])('judges a commit by the roles of when it has the locks: a disk %s meanwhile', async (_, before, after) => {
    const { root } = await newStore();
    const file = path.join(root, 'store.json');
    const setRole = (role: string | undefined): void => {
      const document = JSON.parse(fs.readFileSync(file, 'utf8')) as StoreDocument;
      fs.writeFileSync(
        `${file}.next`,
        JSON.stringify({
          ...document,
          disks: document.disks.map((disk) => (disk.name === 'disk2' ? { ...disk, role } : disk)),
        }),
      );
      fs.renameSync(`${file}.next`, file);
    };
    setRole(before === 'joining' ? before : undefined);
    const store = await ObjectStore.open(root);
    // From now on the bucket's documents are known, and not read again.
    await store.put('bucket', 'key', Buffer.from('old'));
    async function* source(): AsyncGenerator<Buffer> {
      yield await Promise.resolve(Buffer.from('new'));
      setRole(after === 'joining' ? after : undefined);
      takeAway(store, 'disk3');
    }
    const outcome = await store
      .put('bucket', 'key', Readable.from(source(), { highWaterMark: 1 }))
      .catch((error: unknown) => error);
    if (after === 'joining') expect(outcome).toMatchObject({ code: 'TOO_FEW_DISKS_TO_WRITE' });
    else expect(outcome).toMatchObject({ meta: { size: 3 } });
  });

  test('keeps the disks that it began with in view, and gives what it locks with those that are left', async () => {
    const store = await newStore();
    await store.put('bucket', 'key', Buffer.from('x'));
    await Operation.run(await contextOf(store), {}, async (operation) => {
      takeAway(store, 'disk2');
      const { view, copies } = await operation.lockKey('bucket', 'key');
      expect(copies.map(({ disk, state }) => [disk.name, state])).toEqual([
        ['disk1', 'valid'],
        ['disk3', 'valid'],
      ]);
      expect(view.offline.map(({ disk }) => disk)).toEqual(['disk2']);
      expect(operation.view.online.map(({ name }) => name)).toEqual(['disk1', 'disk2', 'disk3']);
      expect(operation.view.offline).toEqual([]);
    });
  });

  test('may lock and publish several keys, and lets go of all that it holds when its work fails', async () => {
    const store = await newStore();
    const context = await contextOf(store);
    const work = Operation.run(context, {}, async (operation) => {
      const [one, other] = [await operation.lockKey('bucket', 'one'), await operation.lockKey('bucket', 'other')];
      expect((await mintVersion(operation, one)) < (await mintVersion(operation, other))).toBe(true);
      throw new Error('of the work');
    });
    await expect(work).rejects.toThrow('of the work');
    for (const key of ['one', 'other']) await store.put('bucket', key, Buffer.from(key));
    expect((await read(store, 'other')).toString()).toBe('other');
  });
});
