import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Disk } from '../../../src/disks/disk.ts';
import { FaultyDisk, type PlannedFault } from '../../support/faulty-disk.ts';
import { ObjectStore } from '../../../src/index.ts';
import { readObjectMeta } from '../../../src/store/protocol/read-documents.ts';
import { heal, type HealOptions } from '../../../src/store/health/heal.ts';
import { contextOf } from '../../support/context.ts';
import { expectWhole } from '../../support/shards.ts';
import { failure, newStore, read, takeAway } from '../../support/store.ts';

/** Calls `done` when the disk has set something aside in the place of metas. */
function whenSetAside(disk: Disk, done: () => Promise<void> | void): Disk {
  const setAside = async (place: string): Promise<string | undefined> => {
    const aside = await disk.setAside(place);
    if (aside?.endsWith('.corrupt') === true) await done();
    return aside;
  };
  return new Proxy(disk, { get: (target, name) => (name === 'setAside' ? setAside : bound(target, name)) });
}

function bound(target: Disk, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name);
  return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
}

/** A heal as another process runs it, that is told when it has set something aside on `disk1`. */
async function healWatched(
  store: ObjectStore,
  done: () => Promise<void> | void,
  options: HealOptions = {},
): Promise<void> {
  const context = await contextOf(store, (disk) => (disk.name === 'disk1' ? whenSetAside(disk, done) : disk));
  await heal(context, options);
}

async function filled(disks = 2): Promise<ObjectStore> {
  const store = await newStore(disks, { redundancy: disks === 1 ? '1+0' : '1+1' });
  for (const key of ['deep/key', 'key', 'deep/gone']) await store.put('bucket', key, Buffer.from(key));
  await store.delete('bucket', 'deep/gone');
  return store;
}

/** Puts something in the place of a file or folder of a disk; a process does not look at every folder again at every step. */
async function replace(
  store: ObjectStore,
  place: string,
  kind: 'file' | 'folder',
  disk = 'disk1',
): Promise<ObjectStore> {
  const full = path.join(store.root, disk, place);
  fs.rmSync(full, { recursive: true });
  if (kind === 'file') fs.writeFileSync(full, "somebody's");
  else fs.mkdirSync(path.join(full, 'inner'), { recursive: true });
  return ObjectStore.open(store.root);
}

/** That what was acknowledged is never said not to exist while the disk that knows of it is away, and is there when that is back. */
async function expectNothingForgotten(store: ObjectStore): Promise<void> {
  const back = takeAway(store, 'disk2');
  const fresh = await ObjectStore.open(store.root);
  for (const key of ['key', 'deep/key']) {
    const outcome = await read(fresh, key).then(String, (error: unknown) => error);
    if (outcome !== key) expect(outcome, key).toMatchObject({ code: 'TOO_FEW_DISKS_TO_READ' });
  }
  back();
  for (const key of ['key', 'deep/key']) expect(String(await read(fresh, key))).toBe(key);
}

async function expectHealed({ root }: ObjectStore): Promise<void> {
  const store = await ObjectStore.open(root);
  expect(await store.heal()).toMatchObject({ whole: 2, problems: 0, failed: [] });
  await expectWhole(store);
  expect(store.document.disks.some(({ role }) => role !== undefined)).toBe(false);
  for (const disk of ['disk1', 'disk2']) {
    const back = takeAway(store, disk);
    for (const key of ['key', 'deep/key']) expect(String(await read(store, key))).toBe(key);
    back();
  }
}

const PLACES = [
  ['a file in the place of the folder of all buckets', 'buckets', 'file'],
  ['a file in the place of the folder of a bucket', 'buckets/bucket', 'file'],
  ['a file in the place of a folder of keys', 'buckets/bucket/deep', 'file'],
  ['a folder in the place of the document of a bucket', 'buckets/bucket/.bucket.json', 'folder'],
  ['a folder in the place of a meta', 'buckets/bucket/deep/key.meta.json', 'folder'],
] as const;

describe.each(PLACES)('%s of one of two disks', (_, place, kind) => {
  test('a heal that is interrupted as soon as it is set aside lets no acknowledged object be taken for none; the next one ends it', async () => {
    const store = await replace(await filled(), place, kind);
    const abort = new AbortController();
    const ended = await failure(
      healWatched(
        store,
        () => {
          abort.abort();
        },
        { signal: abort.signal },
      ),
    ).catch(() => undefined);
    if (ended !== undefined) expect(ended.code).toBe('ABORTED');
    await expectNothingForgotten(store);
    await expectHealed(store);
  });

  test('while heal is at it, no acknowledged object is taken for none either; afterwards the disk counts as before', async () => {
    const store = await replace(await filled(), place, kind);
    let times = 0;
    await healWatched(store, async () => {
      times++;
      await expectNothingForgotten(store);
    });
    expect(times).toBe(1);
    await expectHealed(store);
  });

  test("where the disk then can't take what was there, it does not count until it can", async () => {
    const store = await replace(await filled(), place, kind);
    const plan: PlannedFault = {
      operation: 'stage',
      path: /^buckets/,
      times: Infinity,
      effect: { kind: 'fail', errno: 'ENOSPC' },
    };
    const context = await contextOf(store, (disk) => (disk.name === 'disk1' ? new FaultyDisk(disk, [plan]) : disk));
    const report = await heal(context, {});
    expect(report.failed.join()).toContain('disk1');
    await expectNothingForgotten(store);
    await expectHealed(store);
  });
});

test.each(PLACES)(
  '%s: who looked at the disks before heal set it aside does not take its silence for an answer either',
  async (_, place, kind) => {
    const store = await replace(await filled(), place, kind);
    const reader = await contextOf(store);
    const view = await reader.lookForReading();
    const abort = new AbortController();
    await healWatched(
      store,
      () => {
        abort.abort();
      },
      { signal: abort.signal },
    ).catch(() => undefined);
    takeAway(store, 'disk2');
    const outcome = await readObjectMeta(reader, view, { bucket: 'bucket', key: 'deep/key' }).then(
      ({ key }) => key,
      (error: unknown) => error,
    );
    if (outcome !== 'deep/key') expect(outcome).toMatchObject({ code: 'TOO_FEW_DISKS_TO_READ' });
  },
);

test('a folder in the place of the horizon is set aside, and the disk counts again when it has got the horizon', async () => {
  const store = await replace(await filled(), 'horizon.json', 'folder');
  expect(await store.heal()).toMatchObject({ problems: 0, setAside: ['disk1/.horizon.json.corrupt'], failed: [] });
  await expectHealed(store);
});

/** Makes a disk a joining one, as one that was added is until it has all metas. */
async function makeJoining(store: ObjectStore, disk: string): Promise<ObjectStore> {
  const file = path.join(store.root, 'store.json');
  const document = JSON.parse(fs.readFileSync(file, 'utf8')) as { disks: { name: string; role?: string }[] };
  for (const entry of document.disks) if (entry.name === disk) entry.role = 'joining';
  fs.writeFileSync(file, JSON.stringify(document));
  return ObjectStore.open(store.root);
}

describe('a folder in the place of a meta is kept with all that is in it', () => {
  const place = 'buckets/bucket/deep/gone.meta.json';
  const kept = 'disk1/buckets/bucket/deep/.gone.meta.json.corrupt/inner';

  test.each([false, true])('when its disk joins, also first of all (allowStale: %s)', async (allowStale) => {
    const store = await filled(4);
    // A folder of this name is a key's only where another disk says so; what that has is damaged, and the others know of none.
    fs.mkdirSync(path.join(store.root, 'disk1', place, 'inner'), { recursive: true });
    fs.writeFileSync(path.join(store.root, 'disk2', place), 'damaged');
    const fresh = await makeJoining(store, 'disk1');
    expect(await fresh.heal({ allowStale })).toMatchObject({ whole: 2, joined: ['disk1'], failed: [] });
    expect(fs.existsSync(path.join(store.root, kept))).toBe(true);
  });

  test.each(['disk1', 'disk3'])('when its object is deleted, with %s', async (disk) => {
    const store = await filled(3);
    await store.put('bucket', 'deep/gone', Buffer.from('x'));
    const fresh = await replace(store, place, 'folder', disk);
    await fresh.delete('bucket', 'deep/gone');
    expect((await failure(read(fresh, 'deep/gone'))).code).toBe('NO_SUCH_KEY');
    expect(fs.existsSync(path.join(store.root, kept.replace('disk1', disk)))).toBe(true);
  });
});

test('of three disks, two may have something in the way of different metas: each answers for the other', async () => {
  const store = await replace(
    await replace(await filled(3), 'buckets/bucket/deep', 'file'),
    'buckets/bucket/key.meta.json',
    'folder',
    'disk2',
  );
  expect(await store.heal()).toMatchObject({
    whole: 2,
    problems: 0,
    setAside: ['disk1/buckets/bucket/.deep.corrupt', 'disk2/buckets/bucket/.key.meta.json.corrupt'],
    failed: [],
  });
  await expectHealed(store);
});

test('a disk that is being drained still is afterwards', async () => {
  const store = await replace(await filled(3), 'buckets/bucket/deep', 'file');
  await store.drainDisk('disk1');
  fs.rmSync(path.join(store.root, 'disk1/buckets/bucket'), { recursive: true });
  fs.writeFileSync(path.join(store.root, 'disk1/buckets/bucket'), 'x');
  const fresh = await ObjectStore.open(store.root);
  expect(await fresh.heal()).toMatchObject({ setAside: ['disk1/buckets/.bucket.corrupt'], failed: [] });
  expect((await ObjectStore.open(store.root)).document.disks[0]?.role).toBe('draining');
});

test('on the only disk of a store, what is in the way stays, because nobody knows what was behind it', async () => {
  const store = await replace(await filled(1), 'buckets', 'file');
  const report = await store.heal();
  expect(report.setAside).toEqual([]);
  expect(report.failed.join()).toContain('stays, because too few other disks answer');
  expect(fs.readFileSync(path.join(store.root, 'disk1/buckets'), 'utf8')).toBe("somebody's");
});

test('what stands in the place of the folder of all buckets makes way also where there are no buckets', async () => {
  const empty = await newStore(3);
  await empty.deleteBucket('bucket');
  const store = await replace(empty, 'buckets', 'file');
  expect(await store.heal()).toMatchObject({
    problems: 0,
    unreadable: [],
    setAside: ['disk1/.buckets.corrupt'],
    failed: [],
  });
  expect(fs.readdirSync(path.join(store.root, 'disk1/buckets'))).toEqual([]);
});

test('what could not be listed on enough disks keeps the way to it closed: one that was acknowledged there may be overlooked', async () => {
  const store = await newStore(3, { redundancy: '1+1' });
  await store.put('bucket', 'deep/other', Buffer.from('other'));
  const back = takeAway(store, 'disk3');
  await store.put('bucket', 'deep/sub/key', Buffer.from('key'));
  back();
  // The newer object is on disk1 and disk2 only; neither can list its folder now, and that of disk3 is empty.
  fs.mkdirSync(path.join(store.root, 'disk3/buckets/bucket/deep/sub'));
  await replace(store, 'buckets/bucket/deep/sub', 'file', 'disk2');
  const fresh = await replace(store, 'buckets/bucket/deep', 'file');
  const report = await fresh.heal();
  expect(report.setAside).toEqual([]);
  expect(report.failed.join()).toContain('stays');
  expect((await failure(read(fresh, 'deep/sub/key'))).code).toBe('TOO_FEW_DISKS_TO_READ');
});
