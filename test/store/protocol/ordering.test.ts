import * as fs from 'node:fs';
import * as path from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { ObjectStore, type PutResult } from '../../../src/index.ts';
import { diskNames, failure, metaCopies, newStore, read, takeAway } from '../../support/store.ts';

const HOUR_MS = 60 * 60 * 1000;

afterEach(() => {
  vi.useRealTimers();
});

function setClock(offset: number): void {
  vi.useFakeTimers({ now: Date.now() + offset, toFake: ['Date'] });
}

/** An upload that has begun, and commits when it is told to. */
function slowPut(store: ObjectStore, key: string, text: string): { finish: () => Promise<PutResult> } {
  const source = new PassThrough();
  const done = store.put('bucket', key, source);
  done.catch(() => undefined);
  source.write(text.slice(0, 1));
  return {
    finish: () => {
      source.end(text.slice(1));
      return done;
    },
  };
}

/** What a delete leaves that dies when only `disk` still has the meta. */
function deleteAllBut(store: ObjectStore, key: string, disk: string): void {
  for (const copy of metaCopies(store, key)) if (copy.disk !== disk) fs.unlinkSync(copy.file);
}

/** What an upload of `key` leaves that dies when only `disk` shows it: the others have what they had before. */
async function putOnOneOnly(store: ObjectStore, key: string, text: string, disk: string): Promise<void> {
  const before = new Map(metaCopies(store, key).map((copy) => [copy.disk, copy]));
  await store.put('bucket', key, Buffer.from(text));
  for (const copy of metaCopies(store, key)) {
    if (copy.disk === disk) continue;
    const old = before.get(copy.disk);
    if (old === undefined) fs.unlinkSync(copy.file);
    else fs.writeFileSync(copy.file, old.text);
  }
}

/** The object reads as `text`, before and after everything has been mended, whichever disk is away meanwhile. */
async function expectStays(store: ObjectStore, key: string, text: string): Promise<void> {
  expect((await read(store, key)).toString()).toBe(text);
  expect(await store.heal()).toMatchObject({ lost: 0, failed: [] });
  for (const disk of diskNames(store)) {
    const back = takeAway(store, disk);
    expect((await read(store, key)).toString()).toBe(text);
    back();
  }
  expect(await store.verify()).toMatchObject({ objects: 1, whole: 1 });
}

describe.each(['disk1', 'disk2', 'disk3'])('an acknowledged upload stays, although %s comes back', (disk) => {
  test('with what a delete that died has left of a later upload', async () => {
    const store = await newStore(3, { redundancy: '1+2' });
    const slow = slowPut(store, 'key', 'slow');
    await store.put('bucket', 'key', Buffer.from('quick'));
    deleteAllBut(store, 'key', disk);
    const back = takeAway(store, disk);
    await slow.finish();
    back();
    await expectStays(store, 'key', 'slow');
  });

  test.each([false, true])(
    'with what an upload that died has shown on it alone (over another one: %s)',
    async (isOverwrite) => {
      const store = await newStore(3, { redundancy: '1+2' });
      if (isOverwrite) await store.put('bucket', 'key', Buffer.from('first'));
      const slow = slowPut(store, 'key', 'slow');
      await putOnOneOnly(store, 'key', 'quick', disk);
      const back = takeAway(store, disk);
      await slow.finish();
      back();
      await expectStays(store, 'key', 'slow');
    },
  );

  test('with what was uploaded by a clock that was an hour ahead', async () => {
    const store = await newStore(3, { redundancy: '1+2' });
    setClock(HOUR_MS);
    await store.put('bucket', 'key', Buffer.from('of the future'));
    vi.useRealTimers();
    deleteAllBut(store, 'key', disk);
    const back = takeAway(store, disk);
    await (await ObjectStore.open(store.root)).put('bucket', 'key', Buffer.from('of now'));
    back();
    await expectStays(store, 'key', 'of now');
  });

  test('with what was uploaded by a clock that was ahead before the machine was started again', async () => {
    const store = await newStore(3, { redundancy: '1+2' });
    setClock(HOUR_MS);
    await store.put('bucket', 'key', Buffer.from('of the future'));
    vi.useRealTimers();
    deleteAllBut(store, 'key', disk);
    const back = takeAway(store, disk);
    fs.writeFileSync(path.join(store.root, '.lock.note'), 'another boot\n');
    await (await ObjectStore.open(store.root)).put('bucket', 'key', Buffer.from('of now'));
    back();
    await expectStays(store, 'key', 'of now');
  });

  test('with a tombstone of a delete that died', async () => {
    const store = await newStore(3, { redundancy: '1+2' });
    setClock(HOUR_MS);
    await store.put('bucket', 'key', Buffer.from('first'));
    const before = metaCopies(store, 'key');
    const others = diskNames(store).filter((name) => name !== disk);
    const returns = takeAway(store, others[0] ?? '');
    await store.delete('bucket', 'key');
    returns();
    vi.useRealTimers();
    // The delete died before the other one had its tombstone.
    for (const copy of before) if (copy.disk === others[1]) fs.writeFileSync(copy.file, copy.text);
    const back = takeAway(store, disk);
    await store.put('bucket', 'key', Buffer.from('second'));
    back();
    await expectStays(store, 'key', 'second');
  });
});

test('a bucket that is made again stays, although a disk comes back that missed the end of a delete', async () => {
  const store = await newStore();
  setClock(HOUR_MS);
  await store.createBucket('second', { redundancy: '1+1' });
  const back = takeAway(store, 'disk3');
  await store.deleteBucket('second');
  vi.useRealTimers();
  fs.rmSync(path.join(store.root, 'disk1/buckets/second'), { recursive: true });
  fs.rmSync(path.join(store.root, 'disk2/buckets/second'), { recursive: true });
  await store.createBucket('second');
  back();
  expect((await store.listBuckets()).find(({ bucket }) => bucket === 'second')?.redundancy).toBeUndefined();
});

test('moves that died half-way are overtaken by moves that are done, whatever disk shows them', async () => {
  const store = await newStore(4, { redundancy: '1+1' });
  await store.put('bucket', 'key', Buffer.from('bytes'));
  const {
    chunks: [first],
    parity: [copy],
  } = await store.head('bucket', 'key');
  const before = metaCopies(store, 'key');
  await store.drainDisk(first?.disk ?? '');
  // The commit of the first move died when one disk had it, and that disk goes away.
  const [shown] = metaCopies(store, 'key').filter(({ disk }) => disk !== first?.disk && disk !== copy?.disk);
  for (const { disk, file, text } of before) if (disk !== shown?.disk) fs.writeFileSync(file, text);
  const back = takeAway(store, shown?.disk ?? '');
  await store.drainDisk(first?.disk ?? '');
  const { revision } = await store.head('bucket', 'key');
  back();
  expect((await store.head('bucket', 'key')).revision).toBe(revision);
  expect((await read(store, 'key')).toString()).toBe('bytes');
  await store.heal();
  expect((await read(store, 'key')).toString()).toBe('bytes');
  expect(await store.verify()).toMatchObject({ lost: 0 });
});

test('with too few horizons left, and none known since the machine was started, nothing is stored that might be out of order', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', Buffer.from('old'));
  for (const disk of ['disk1', 'disk2']) fs.writeFileSync(path.join(store.root, disk, 'horizon.json'), 'damaged');
  fs.unlinkSync(path.join(store.root, '.lock.note'));
  expect((await failure(store.put('bucket', 'key', Buffer.from('new')))).code).toBe('META_DAMAGED');
  expect((await read(store, 'key')).toString()).toBe('old');
  expect((await store.heal({ allowStale: true })).failed).toEqual([]);
  await store.put('bucket', 'key', Buffer.from('new'));
  expect((await read(store, 'key')).toString()).toBe('new');
});

test('damaged horizons matter to nobody as long as the note is there, and are mended by the next one', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', Buffer.from('old'));
  const files = diskNames(store).map((disk) => path.join(store.root, disk, 'horizon.json'));
  for (const file of files.slice(1)) fs.writeFileSync(file, 'damaged');
  setClock(HOUR_MS);
  await store.put('bucket', 'key', Buffer.from('new'));
  expect(new Set(files.map((file) => fs.readFileSync(file, 'utf8'))).size).toBe(1);
});

test.each(['a folder', 'damage', 'nothing'])(
  'verify sees %s in the place of a horizon, and heal mends it on every disk that can take it',
  async (what) => {
    const store = await newStore();
    await store.put('bucket', 'key', Buffer.from('old'));
    const [first, second] = diskNames(store).map((disk) => path.join(store.root, disk, 'horizon.json'));
    const text = fs.readFileSync(first ?? '', 'utf8');
    fs.rmSync(first ?? '');
    if (what === 'a folder') fs.mkdirSync(first ?? '');
    if (what === 'damage') fs.writeFileSync(first ?? '', text.slice(1));
    expect(await store.verify()).toMatchObject({ buckets: 1, problems: 1 });
    const report = await store.heal();
    expect(report).toMatchObject({
      settled: 1,
      buckets: 0,
      failed: [],
      setAside: what === 'a folder' ? ['disk1/.horizon.json.corrupt'] : [],
    });
    expect(fs.readFileSync(first ?? '', 'utf8')).toBe(text);
    expect(fs.readFileSync(second ?? '', 'utf8')).toBe(text);
    expect(await store.verify()).toMatchObject({ buckets: 0, problems: 0 });
  },
);
