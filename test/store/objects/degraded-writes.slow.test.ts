import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { stripesOf } from '../../../src/index.ts';
import { seededBytes } from '../../support/bytes.ts';
import { NOTHING_TO_DO } from '../../support/gc.ts';
import { choices, Dice, expectAll, expectDistinct, expectWhole, shardPath, shardsIn } from '../../support/shards.ts';
import {
  diskNames,
  failure,
  filesIn,
  keysOf,
  metaCopies,
  MIB,
  newStore,
  objectFiles,
  read,
  takeAway,
} from '../../support/store.ts';

const KINDS = [
  { redundancy: '1+1', data: 1, parity: 1, disks: 3, away: 1 },
  { redundancy: '2+1', data: 2, parity: 1, disks: 3, away: 1 },
  { redundancy: '2+1', data: 2, parity: 1, disks: 5, away: 2 },
  { redundancy: '1+2', data: 1, parity: 2, disks: 3, away: 1 },
  { redundancy: '4+2', data: 4, parity: 2, disks: 6, away: 2 },
  { redundancy: '4+2', data: 4, parity: 2, disks: 7, away: 3 },
];

test.each(KINDS)(
  '$redundancy with $away of $disks disks away: a write says what had no disk to go to, reads back, and heal completes it once the disks are back',
  async ({ redundancy, data, parity, disks, away }) => {
    const store = await newStore(disks, { redundancy });
    const dice = new Dice();
    const gone = dice.some(diskNames(store), away);
    const back = gone.map((disk) => takeAway(store, disk));
    const objects = new Map<string, Buffer>();
    for (const size of [0, 1, data * MIB, data * MIB + 1]) objects.set(String(size), seededBytes(size, size));
    let lacking = 0;
    for (const [key, bytes] of objects) {
      const { meta, unwritten, offline, failed } = await store.put('bucket', key, bytes);
      expect(offline.map(({ disk }) => disk).sort()).toEqual([...gone].sort());
      expect(failed).toEqual([]);
      expectDistinct(meta);
      // Exactly so many of each stripe as there are too few disks, and nothing but parity; each where it belongs.
      for (const { chunks, parity: rows } of stripesOf(meta)) {
        const shards = [...chunks, ...rows];
        const left = shards.filter((shard) => unwritten.includes(shard));
        expect(left.length).toBe(Math.max(0, shards.length - (disks - away)));
        expect(left.filter((shard) => 'order' in shard)).toEqual([]);
        for (const { disk } of left) expect(gone).toContain(disk);
      }
      for (const shard of shardsIn(meta))
        expect(fs.existsSync(shardPath(store, shard))).toBe(!unwritten.includes(shard));
      lacking += unwritten.length;
    }
    await expectAll(store, objects);
    for (const put of back) put();
    await expectAll(store, objects);
    const before = await store.verify();
    expect(before).toMatchObject({ objects: objects.size, degraded: objects.size, lost: 0 });

    const report = await store.heal();
    expect(report).toMatchObject({
      objects: objects.size,
      whole: objects.size,
      rebuilt: lacking,
      moved: 0,
      failed: [],
    });
    await expectWhole(store);
    const readable = choices(disks, parity).filter(() => disks - parity >= Math.ceil(disks / 2));
    for (const pattern of readable.length === 0 ? [] : dice.some(readable, Math.min(readable.length, 3))) {
      const lost = pattern.map((index) => takeAway(store, `disk${index + 1}`));
      await expectAll(store, objects);
      for (const put of lost) put();
    }
    expect(await store.gc()).toEqual(NOTHING_TO_DO);
  },
);

test('1+1 with only one disk that takes chunks is refused, for one copy alone is not what was asked for', async () => {
  const store = await newStore(3, { redundancy: '1+1' });
  await store.drainDisk('disk1');
  takeAway(store, 'disk2');
  const before = filesIn(store.root);
  expect(await failure(store.put('bucket', 'key', Buffer.from('x')))).toMatchObject({ code: 'TOO_FEW_DISKS_TO_WRITE' });
  expect(filesIn(store.root)).toEqual(before);
});

test.each(['1+2', '2+1', '4+2', '2+2'])(
  '%s: a disk that vanishes in the middle of an upload is named, and the object reads with what is left',
  async (redundancy) => {
    const store = await newStore(7, { redundancy });
    // Full stripes only: of one that is shorter, no more than its parity, an upload must write one shard more.
    const bytes = seededBytes(12 * MIB, 'vanish');
    const state = { written: 0, back: undefined as (() => void) | undefined };
    const onBytes = (): void => {
      if (++state.written === 5) state.back = takeAway(store, 'disk4');
    };
    const { meta, unwritten, failed, offline } = await store.put('bucket', 'key', bytes, { onBytes });
    expect([...failed, ...offline].map(({ disk }) => disk)).toContain('disk4');
    // With seven disks there was another one for everything but what was on the disk already.
    expectDistinct(meta);
    for (const shard of shardsIn(meta)) if (shard.disk === 'disk4') expect(unwritten).toContain(shard);
    expect((await read(store, 'key')).equals(bytes)).toBe(true);
    expect(metaCopies(store, 'key').length).toBe(6);
    state.back?.();
    expect((await read(store, 'key')).equals(bytes)).toBe(true);
    expect(await store.heal()).toMatchObject({ objects: 1, whole: 1, failed: [] });
    await expectWhole(store);
    expect(await store.gc()).toEqual(NOTHING_TO_DO);
  },
);

test('1+1: a disk that vanishes with one of two copies fails the upload, whose rest is taken away, and the version before stays', async () => {
  const store = await newStore(3, { redundancy: '1+1' });
  const old = seededBytes(2 * MIB, 'before');
  await store.put('bucket', 'key', old);
  const state = { written: 0, back: (): void => undefined };
  const onBytes = (): void => {
    if (++state.written === 3) state.back = takeAway(store, 'disk2');
  };
  const error = await failure(store.put('bucket', 'key', seededBytes(6 * MIB, 'vanish'), { onBytes }));
  expect(error.message).toContain('"disk2"');
  state.back();
  expect((await read(store, 'key')).equals(old)).toBe(true);
  await store.gc();
  expect(objectFiles(store).length).toBe(3 + 4);
});

test('two disks vanish in the middle of a 2+1 upload: it fails and leaves nothing, or what it acknowledged reads', async () => {
  const store = await newStore(5, { redundancy: '2+1' });
  const old = seededBytes(2 * MIB, 'before');
  await store.put('bucket', 'key', old);
  const bytes = seededBytes(12 * MIB, 'two vanish');
  const state = { written: 0, back: [] as (() => void)[] };
  const onBytes = (): void => {
    if (++state.written === 4) state.back = ['disk1', 'disk3'].map((disk) => takeAway(store, disk));
  };
  const outcome = await store.put('bucket', 'key', bytes, { onBytes }).then(
    () => bytes,
    () => old,
  );
  for (const put of state.back) put();
  expect((await read(store, 'key')).equals(outcome)).toBe(true);
  await store.heal();
  await expectWhole(store);
  expect((await read(store, 'key')).equals(outcome)).toBe(true);
});

test('a disk that comes back stale brings nothing back, and heal removes what it missed the end of', async () => {
  const store = await newStore(4, { redundancy: '2+1' });
  const objects = new Map<string, Buffer>();
  for (const key of ['kept', 'overwritten', 'deleted', 'a/b/deleted', 'reborn'])
    await store.put('bucket', key, seededBytes(3 * MIB, `old ${key}`));
  await store.createBucket('second');
  await store.put('second', 'key', Buffer.from('x'));
  const back = takeAway(store, 'disk2');
  objects.set('kept', seededBytes(3 * MIB, 'old kept'));
  objects.set('overwritten', seededBytes(5 * MIB + 1, 'new'));
  objects.set('reborn', Buffer.from('reborn'));
  await store.put('bucket', 'overwritten', objects.get('overwritten') ?? Buffer.alloc(0));
  for (const key of ['deleted', 'a/b/deleted', 'reborn']) await store.delete('bucket', key);
  await store.put('bucket', 'reborn', Buffer.from('reborn'));
  await store.delete('second', 'key');
  await store.deleteBucket('second');
  back();

  const check = async (): Promise<void> => {
    expect(await keysOf(store)).toEqual(['kept', 'overwritten', 'reborn']);
    expect((await store.listBuckets()).map(({ bucket }) => bucket)).toEqual(['bucket']);
    for (const key of ['deleted', 'a/b/deleted'])
      expect((await failure(store.head('bucket', key))).code).toBe('NO_SUCH_KEY');
    expect((await failure(store.head('second', 'key'))).code).toBe('NO_SUCH_BUCKET');
    await expectAll(store, objects);
  };
  await check();
  for (const disk of ['disk1', 'disk3', 'disk4']) {
    const again = takeAway(store, disk);
    await check();
    again();
  }
  const report = await store.heal();
  expect(report).toMatchObject({ objects: 3, whole: 3, lost: 0, failed: [] });
  expect(report.gc?.leftoverChunks).toBeGreaterThan(0);
  await check();
  await expectWhole(store);
  // Of what was deleted not even a folder is left.
  let files = 3 * 4;
  for (const key of objects.keys()) files += shardsIn(await store.head('bucket', key)).length;
  expect(objectFiles(store).length).toBe(files);
  for (const disk of diskNames(store)) {
    expect(fs.readdirSync(path.join(store.root, disk, 'buckets'))).toEqual(['bucket']);
    expect(filesIn(path.join(store.root, disk, 'buckets')).length).toBe(4);
    expect(fs.readdirSync(path.join(store.root, disk, 'tmp'))).toEqual([]);
  }
  expect(await store.gc()).toEqual(NOTHING_TO_DO);
});
