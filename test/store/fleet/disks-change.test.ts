import * as fs from 'node:fs';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { FaultyDisk } from '../../support/faulty-disk.ts';
import { ObjectStore } from '../../../src/index.ts';
import { lockName } from '../../../src/locks/locks.ts';
import { gc } from '../../../src/store/health/gc.ts';
import { put } from '../../../src/store/objects/put.ts';
import { contextOf, gate } from '../../support/context.ts';
import { NOTHING_TO_DO } from '../../support/gc.ts';
import { failure, newStore, read, takeAway } from '../../support/store.ts';

test("a disk that is swapped for another store's during an upload is not written to", async () => {
  const ours = await newStore();
  const theirs = await newStore();
  await theirs.put('bucket', 'key', Buffer.from('theirs'));
  async function* slowly(): AsyncGenerator<Buffer> {
    yield Buffer.from('ours');
    await Promise.resolve();
    fs.renameSync(path.join(ours.root, 'disk3'), path.join(ours.root, 'gone'));
    fs.symlinkSync(path.join(theirs.root, 'disk3'), path.join(ours.root, 'disk3'));
  }
  const result = await ours.put('bucket', 'key', Readable.from(slowly()));
  expect(result).toMatchObject({ offline: [{ disk: 'disk3', state: { status: 'foreign' } }] });
  expect((await read(theirs, 'key')).toString()).toBe('theirs');
  expect((await read(ours, 'key')).toString()).toBe('ours');
});

test('a delete that waited for its lock while a disk went away leaves tombstones, so that nothing rises again', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', Buffer.from('x'));
  const holder = await (await contextOf(store)).locks.open('write');
  await holder.lock(lockName.key('bucket', 'key'), 'exclusive');
  const deleting = store.delete('bucket', 'key');
  // The delete has looked at the disks by the time it has the bucket's lock.
  const watcher = await (await contextOf(store)).locks.open('write');
  const isFree = (): boolean => {
    const free = watcher.tryLock(lockName.bucket('bucket'), 'exclusive');
    if (free) watcher.unlock(lockName.bucket('bucket'));
    return free;
  };
  await expect.poll(isFree).toBe(false);
  await watcher.close();
  const back = takeAway(store, 'disk3');
  await holder.close();
  await deleting;
  back();
  expect(await failure(store.head('bucket', 'key'))).toMatchObject({ code: 'NO_SUCH_KEY' });
});

test('gc keeps the tombstones when a disk that may hold the old copy goes while it runs', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', Buffer.from('x'));
  const back = takeAway(store, 'disk3');
  await store.delete('bucket', 'key');
  back();
  let backAgain = (): void => undefined;
  const context = await contextOf(store, (disk) => {
    const list = disk.list.bind(disk);
    disk.list = async (folder) => {
      const entries = await list(folder);
      if (disk.name === 'disk3' && folder === 'buckets/bucket') backAgain = takeAway(store, 'disk3');
      return entries;
    };
    return disk;
  });
  const report = await gc(context, {});
  expect(report.tombstones).toBe(0);
  expect(report.kept.join()).toContain('disk3');
  backAgain();
  expect(await failure(store.head('bucket', 'key'))).toMatchObject({ code: 'NO_SUCH_KEY' });
});

test('gc beside a commit that is taken back leaves the version that comes back', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', Buffer.from('old'));
  const shown = gate();
  const undoing = gate();
  const meta = /key\.meta\.json$/;
  const context = await contextOf(store, (disk) => {
    const faulty = new FaultyDisk(disk, [
      { operation: 'publish', path: meta, effect: { kind: 'fail-after', errno: 'EIO' } },
      { operation: 'stage', path: meta, nth: 2, effect: { kind: 'hang', until: undoing.opened } },
    ]);
    const stage = faulty.stage.bind(faulty);
    let stages = 0;
    faulty.stage = (file, bytes, options) => {
      // The second document that is staged for the key is the old one, on its way back.
      if (file.endsWith('key.meta.json') && ++stages === 2) shown.open();
      return stage(file, bytes, options);
    };
    return faulty;
  });
  const failing = failure(put(context, { bucket: 'bucket', key: 'key' }, Buffer.from('new'), {}));
  await shown.opened;
  await store.gc();
  undoing.open();
  expect(await failing).toMatchObject({ code: 'DISK_IO' });
  expect((await read(store, 'key')).toString()).toBe('old');
  await store.gc();
  expect((await read(store, 'key')).toString()).toBe('old');
});

test('an unfinished init does not take a disk of another store that has come to stand where it meant to make one', async () => {
  const theirs = await newStore();
  const ours = await newStore();
  fs.renameSync(path.join(ours.root, 'store.json'), path.join(ours.root, '.store.json.plan'));
  fs.rmSync(path.join(ours.root, 'disk2'), { recursive: true });
  fs.symlinkSync(path.join(theirs.root, 'disk2'), path.join(ours.root, 'disk2'));
  expect(await failure(ObjectStore.open(ours.root, { create: true }))).toMatchObject({ code: 'BAD_ROOT' });
  expect((await theirs.disks()).map(({ state }) => state.status)).toEqual(['online', 'online', 'online']);
});

test('on a disk that folds case, a key that differs in case alone is refused, and what stands there stays', async () => {
  const store = await newStore();
  const folded = (file: string): string => file.replace(/[^/]*\.meta\.json$/, (name) => name.toLowerCase());
  const context = await contextOf(store, (disk) => {
    const { read: plainRead, stage } = { read: disk.read.bind(disk), stage: disk.stage.bind(disk) };
    disk.read = (file, options) => plainRead(folded(file), options);
    disk.stage = (file, bytes, options) => stage(folded(file), bytes, options);
    return disk;
  });
  await put(context, { bucket: 'bucket', key: 'readme' }, Buffer.from('lower'), {});
  expect(await failure(put(context, { bucket: 'bucket', key: 'README' }, Buffer.from('upper'), {}))).toMatchObject({
    code: 'KEY_COLLISION',
  });
  expect((await read(store, 'readme')).toString()).toBe('lower');
  expect(await store.gc()).toEqual(NOTHING_TO_DO);
});
