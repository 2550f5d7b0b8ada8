import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Disk } from '../../../src/disks/disk.ts';
import { FaultyDisk, type PlannedFault } from '../../support/faulty-disk.ts';
import { deleteBucket } from '../../../src/store/objects/buckets.ts';
import { deleteObject } from '../../../src/store/objects/delete.ts';
import { replaceDisk } from '../../../src/store/fleet/replace.ts';
import { gc } from '../../../src/store/health/gc.ts';
import { heal } from '../../../src/store/health/heal.ts';
import { joinDisks } from '../../../src/store/health/joining.ts';
import { put } from '../../../src/store/objects/put.ts';
import { contextOf } from '../../support/context.ts';
import { ObjectStore } from '../../../src/index.ts';
import { failure, filesIn, metaCopies, MIB, newStore, read } from '../../support/store.ts';

const BROKEN: PlannedFault = { operation: 'flush', times: Infinity, effect: { kind: 'fail', errno: 'EIO' } };

/** Writes down the calls about names, in order: `disk1 syncFolder buckets`. */
function recorded(calls: string[]): (disk: Disk) => Disk {
  return (disk) => {
    const [syncFolder, remove, flush] = [disk.syncFolder.bind(disk), disk.remove.bind(disk), disk.flush.bind(disk)];
    disk.syncFolder = (folder) => {
      calls.push(`${disk.name} syncFolder ${folder}`);
      return syncFolder(folder);
    };
    disk.remove = (file, options) => {
      calls.push(`${disk.name} remove ${file}${options.durable ? ' durably' : ''}`);
      return remove(file, options);
    };
    disk.flush = () => {
      calls.push(`${disk.name} flush`);
      return flush();
    };
    return disk;
  };
}

const DISKS = ['disk1', 'disk2', 'disk3'];

describe('what a dead operation has not synced', () => {
  test('is made durable by the delete that finds everything gone, before that is said', async () => {
    const store = await newStore(3, { durability: 'fsync' });
    await store.put('bucket', 'key', Buffer.from('x'));
    const [{ file } = { file: '' }] = metaCopies(store, 'key');
    const name = path.relative(path.join(store.root, 'disk1'), file);
    for (const copy of metaCopies(store, 'key')) fs.unlinkSync(copy.file);
    const calls: string[] = [];
    const context = await contextOf(store, recorded(calls));
    expect((await failure(deleteObject(context, 'bucket', 'key', {}))).code).toBe('NO_SUCH_KEY');
    expect(calls).toEqual(expect.arrayContaining(DISKS.map((disk) => `${disk} remove ${name} durably`)));
  });

  test('is made durable by the deletion of a bucket that finds it gone', async () => {
    const store = await newStore(3, { durability: 'fsync' });
    for (const disk of DISKS) fs.rmSync(path.join(store.root, disk, 'buckets/bucket'), { recursive: true });
    const calls: string[] = [];
    const context = await contextOf(store, recorded(calls));
    expect((await failure(deleteBucket(context, 'bucket', {}))).code).toBe('NO_SUCH_BUCKET');
    expect(calls).toEqual(
      expect.arrayContaining(DISKS.map((disk) => `${disk} remove buckets/bucket/.bucket.json durably`)),
    );
  });

  test('a tombstone that one disk alone shows is not enough for "it is gone": the rest is deleted as well', async () => {
    const store = await newStore();
    await store.put('bucket', 'key', Buffer.from('x'));
    const before = metaCopies(store, 'key');
    fs.renameSync(path.join(store.root, 'disk3'), path.join(store.root, 'away'));
    await store.delete('bucket', 'key');
    fs.renameSync(path.join(store.root, 'away'), path.join(store.root, 'disk3'));
    for (const { disk, file, text } of before) if (disk !== 'disk1') fs.writeFileSync(file, text);
    expect((await failure(store.delete('bucket', 'key'))).code).toBe('NO_SUCH_KEY');
    expect(metaCopies(store, 'key')).toEqual([]);
  });

  test('leads to a bucket whose folder is made durable by the first upload of a process, on disks that can', async () => {
    const store = await newStore(3, { durability: 'fsync' });
    const calls: string[] = [];
    const context = await contextOf(store, recorded(calls));
    await put(context, { bucket: 'bucket', key: 'key' }, Buffer.from('x'), {});
    for (const disk of DISKS)
      for (const folder of ['.', 'buckets']) expect(calls).toContain(`${disk} syncFolder ${folder}`);
    calls.length = 0;
    await put(context, { bucket: 'bucket', key: 'key 2' }, Buffer.from('x'), {});
    expect(calls.filter((call) => call.endsWith('syncFolder buckets'))).toEqual([]);

    const failing = await contextOf(store, (disk) =>
      disk.name === 'disk2'
        ? new FaultyDisk(disk, [{ operation: 'syncFolder', path: 'buckets', effect: { kind: 'fail', errno: 'EIO' } }])
        : disk,
    );
    const { offline } = await put(failing, { bucket: 'bucket', key: 'key 3' }, Buffer.from('x'), { redundancy: '1+2' });
    expect(offline).toMatchObject([{ disk: 'disk2', state: { status: 'unreadable' } }]);
    expect(metaCopies(store, 'key 3').map(({ disk }) => disk)).toEqual(['disk1', 'disk3']);
  });

  test.each(['1+0', '1+1'])(
    'leads to a bucket on a disk that can not take metas: uploads of %s go on, with their chunks there',
    async (redundancy) => {
      const store = await newStore(3, { durability: 'fsync', redundancy });
      fs.renameSync(path.join(store.root, 'disk2/buckets'), path.join(path.dirname(store.root), 'away'));
      fs.writeFileSync(path.join(store.root, 'disk2/buckets'), 'no folder');
      for (let index = 0; index < 6; index++) {
        const { offline } = await (
          await ObjectStore.open(store.root)
        ).put('bucket', String(index), Buffer.alloc(3 * MIB + 1, index));
        expect(offline).toMatchObject([{ disk: 'disk2', state: { status: 'unreadable' } }]);
      }
      expect(new Set((await store.head('bucket', '0')).chunks.map(({ disk }) => disk))).toContain('disk2');
      expect((await store.heal()).setAside).toEqual(['disk2/.buckets.corrupt']);
      expect(await store.verify()).toMatchObject({ objects: 6, whole: 6, problems: 0 });
    },
  );

  test('leads to a bucket whose folder is made durable by the first durable upload, whatever was uploaded before', async () => {
    const store = await newStore(3, { durability: 'fsync' });
    const calls: string[] = [];
    const context = await contextOf(store, recorded(calls));
    await put(context, { bucket: 'bucket', key: 'key' }, Buffer.from('x'), { durability: 'none' });
    expect(calls.filter((call) => call.includes('syncFolder'))).toEqual([]);
    await put(context, { bucket: 'bucket', key: 'key' }, Buffer.from('x'), {});
    for (const disk of DISKS)
      for (const folder of ['.', 'buckets']) expect(calls).toContain(`${disk} syncFolder ${folder}`);
  });

  test.each(['object', 'bucket'])(
    'does not return with a disk that was away when the %s was deleted again',
    async (what) => {
      const store = await newStore();
      if (what === 'object') await store.put('bucket', 'key', Buffer.from('x'));
      // The delete died when two disks of three had done it.
      for (const disk of ['disk1', 'disk2']) {
        for (const copy of metaCopies(store, 'key')) if (copy.disk === disk) fs.unlinkSync(copy.file);
        if (what === 'bucket') fs.rmSync(path.join(store.root, disk, 'buckets/bucket'), { recursive: true });
      }
      fs.renameSync(path.join(store.root, 'disk3'), path.join(store.root, 'away'));
      const again = what === 'object' ? store.delete('bucket', 'key') : store.deleteBucket('bucket');
      expect((await failure(again)).code).toBe(what === 'object' ? 'NO_SUCH_KEY' : 'NO_SUCH_BUCKET');
      fs.renameSync(path.join(store.root, 'away'), path.join(store.root, 'disk3'));
      expect((await failure(store.head('bucket', 'key'))).code).toBe(
        what === 'object' ? 'NO_SUCH_KEY' : 'NO_SUCH_BUCKET',
      );
      expect((await store.gc()).tombstones).toBe(1);
      expect(await store.listBuckets()).toHaveLength(what === 'object' ? 1 : 0);
    },
  );

  test('is flushed by gc before it removes what a meta that comes back would need', async () => {
    const store = await newStore(3, { durability: 'fsync' });
    await store.put('bucket', 'key', Buffer.from('x'));
    for (const copy of metaCopies(store, 'key')) fs.unlinkSync(copy.file);
    const failing = await contextOf(store, (disk) => (disk.name === 'disk2' ? new FaultyDisk(disk, [BROKEN]) : disk));
    const kept = await gc(failing, {});
    expect(kept.leftoverChunks).toBe(0);
    expect(kept.kept).toEqual([expect.stringContaining('disk "disk2" failed: cannot flush')]);
    const calls: string[] = [];
    expect((await gc(await contextOf(store, recorded(calls)), {})).leftoverChunks).toBe(1);
    const firstRemoval = calls.findIndex((call) => call.includes('.chunk'));
    for (const disk of DISKS) expect(calls.slice(0, firstRemoval)).toContain(`${disk} flush`);
  });

  test('keeps heal from saying that all is well', async () => {
    const store = await newStore(3, { durability: 'fsync', redundancy: '1+1' });
    await store.put('bucket', 'key', Buffer.from('x'));
    const failing = await contextOf(store, (disk) => (disk.name === 'disk2' ? new FaultyDisk(disk, [BROKEN]) : disk));
    expect((await heal(failing, {})).failed).toEqual([expect.stringContaining('disk "disk2" failed: cannot flush')]);
    expect((await heal(await contextOf(store), {})).failed).toEqual([]);
  });

  test('keeps a disk from joining', async () => {
    const store = await newStore(3, { durability: 'fsync', redundancy: '1+1' });
    await store.put('bucket', 'key', Buffer.from('x'));
    fs.rmSync(path.join(store.root, 'disk3'), { recursive: true });
    const failing = await contextOf(store, (disk) => (disk.name === 'disk2' ? new FaultyDisk(disk, [BROKEN]) : disk));
    await replaceDisk(failing, 'disk3', undefined, {});
    const failed: string[] = [];
    expect(await joinDisks(failing, { failed, allowStale: false })).toEqual([]);
    expect(failed.join()).toContain('cannot flush');
    await store.heal();
    expect(store.document.disks.map(({ role }) => role)).toEqual([undefined, undefined, undefined]);
    expect(filesIn(path.join(store.root, 'disk3'))).toContain('horizon.json');
    expect((await read(store, 'key')).toString()).toBe('x');
  });

  test('costs a store nothing that does not wait for stable storage', async () => {
    const store = await newStore(3, { durability: 'none' });
    await store.put('bucket', 'key', Buffer.from('x'));
    const failing = await contextOf(store, (disk) => new FaultyDisk(disk, [BROKEN]));
    expect((await heal(failing, {})).failed).toEqual([]);
  });
});
