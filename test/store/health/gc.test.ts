import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { FaultyDisk, type PlannedFault } from '../../support/faulty-disk.ts';
import type { GcReport, ObjectStore } from '../../../src/index.ts';
import { gc } from '../../../src/store/health/gc.ts';
import { chunkPath, metaCopies, MIB, newStore, objectFiles, read, takeAway, tree } from '../../support/store.ts';
import { seededBytes } from '../../support/bytes.ts';
import { contextOf } from '../../support/context.ts';
import { NOTHING_TO_DO } from '../../support/gc.ts';

/** A version id of now that nobody has. */
function freshVersion(): string {
  const time = Date.now().toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}

/** What uploads that died leave: chunks that no meta refers to, on two disks, and a staged meta on each. */
function leaveLeftovers(store: ObjectStore): void {
  const id = freshVersion();
  for (const [disk, files] of [
    ['disk1', ['000000.chunk', '000002.chunk']],
    ['disk3', ['000001.chunk']],
  ] as const) {
    fs.mkdirSync(path.join(store.root, disk, 'chunks', id));
    for (const file of files)
      fs.writeFileSync(path.join(store.root, disk, 'chunks', id, file), seededBytes(1000, file));
  }
  for (const disk of ['disk1', 'disk2', 'disk3'])
    fs.writeFileSync(path.join(store.root, disk, 'tmp', freshVersion()), '{"half": ');
}

test('in a store where nothing is left over, gc finds nothing and changes nothing', async () => {
  const store = await newStore();
  for (const key of ['a', 'b/c', 'd/']) await store.put('bucket', key, seededBytes(2 * MIB, key));
  await store.put('bucket', 'a', Buffer.from('again'));
  const before = tree(store.root);
  expect(await store.gc()).toEqual(NOTHING_TO_DO);
  expect(tree(store.root)).toEqual(before);
});

test('leftover chunks and staged files are counted and removed, and nothing else', async () => {
  const store = await newStore();
  for (const key of ['a', 'b/c']) await store.put('bucket', key, seededBytes(2 * MIB, key));
  const before = tree(store.root);
  leaveLeftovers(store);
  leaveLeftovers(store);
  expect(await store.gc()).toEqual({ ...NOTHING_TO_DO, leftoverChunks: 6, leftoverBytes: 6000, stagedFiles: 6 });
  expect(tree(store.root)).toEqual(before);
});

test('an empty folder of a version, and folders of keys that lead to nothing, are removed', async () => {
  const store = await newStore();
  await store.put('bucket', 'a/b', Buffer.from('x'));
  const before = tree(store.root);
  fs.mkdirSync(path.join(store.root, 'disk2/chunks', freshVersion()));
  fs.mkdirSync(path.join(store.root, 'disk2/buckets/bucket/a/c'));
  fs.mkdirSync(path.join(store.root, 'disk1/buckets/bucket/deep/er/still'), { recursive: true });
  fs.mkdirSync(path.join(store.root, 'disk3/buckets/half-made'));
  await store.gc();
  expect(tree(store.root)).toEqual(before);
});

test('a chunk beside the ones that a meta refers to is a leftover, and so is a referred file on the wrong disk', async () => {
  const store = await newStore();
  const { meta } = await store.put('bucket', 'key', seededBytes(3 * MIB, 'x'));
  const before = tree(store.root);
  const first = chunkPath(store, meta, 0);
  fs.copyFileSync(first, path.join(path.dirname(first), '000009.chunk'));
  const elsewhere = path.dirname(chunkPath(store, meta, 1));
  fs.copyFileSync(first, path.join(elsewhere, '000000.chunk'));
  expect(await store.gc()).toMatchObject({ leftoverChunks: 2, leftoverBytes: 2 * MIB });
  expect(tree(store.root)).toEqual(before);
});

test('what cannot be removed is named as failed, and does not keep the rest from being removed', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', seededBytes(MIB, 'x'));
  leaveLeftovers(store);
  const stuck = `chunks/${freshVersion()}/000000.chunk`;
  fs.mkdirSync(path.join(store.root, 'disk2', path.dirname(stuck)));
  fs.writeFileSync(path.join(store.root, 'disk2', stuck), 'x');
  const fault: PlannedFault = { operation: 'remove', path: stuck, effect: { kind: 'fail', errno: 'EIO' } };
  const context = await contextOf(store, (disk) => (disk.name === 'disk2' ? new FaultyDisk(disk, [fault]) : disk));
  const report = await gc(context, {});
  expect(report).toMatchObject({ leftoverChunks: 3, leftoverBytes: 3000, stagedFiles: 3, kept: [] });
  expect(report.failed.join()).toContain(stuck);
  expect(fs.existsSync(path.join(store.root, 'disk2', stuck))).toBe(true);
});

test('things in the chunks folder that are no version are left alone', async () => {
  const store = await newStore();
  for (const name of ['notes', 'lost+found', randomUUID()]) {
    fs.mkdirSync(path.join(store.root, 'disk1/chunks', name));
    fs.writeFileSync(path.join(store.root, 'disk1/chunks', name, 'file'), 'x');
  }
  const before = tree(store.root);
  await store.gc();
  expect(tree(store.root)).toEqual(before);
});

test('copies that differ, because a commit died half-way, agree on the newest afterwards', async () => {
  const store = await newStore();
  await store.put('bucket', 'a/key', Buffer.from('old'));
  const old = metaCopies(store, 'a/key');
  await store.put('bucket', 'a/key', Buffer.from('new'));
  const before = tree(store.root);
  fs.writeFileSync(old[0]?.file ?? '', old[0]?.text ?? '');
  fs.rmSync(path.dirname(old[1]?.file ?? ''), { recursive: true });
  expect(await store.gc()).toEqual({ ...NOTHING_TO_DO, settled: 1 });
  expect(tree(store.root)).toEqual(before);
});

test('a dry run changes nothing, not even for a moment, and reports what the real run then does', async () => {
  const store = await newStore();
  for (const key of ['overwritten', 'deleted', 'a/deleted']) await store.put('bucket', key, seededBytes(2 * MIB, key));
  await store.createBucket('gone');
  const back = takeAway(store, 'disk2');
  await store.put('bucket', 'overwritten', Buffer.from('new'));
  await store.put('bucket', 'missed', Buffer.from('new'));
  await store.delete('bucket', 'deleted');
  await store.delete('bucket', 'a/deleted');
  await store.deleteBucket('gone');
  back();
  leaveLeftovers(store);
  const before = tree(store.root, { stamps: true });
  const dry = await store.gc({ dryRun: true });
  expect(tree(store.root, { stamps: true })).toEqual(before);
  expect(dry).toMatchObject({ tombstones: 3, settled: 2, stagedFiles: 3, inUse: 0, kept: [] });
  expect(await store.gc()).toEqual(dry);
  expect(await store.gc()).toEqual(NOTHING_TO_DO);
  expect((await read(store, 'overwritten')).toString()).toBe('new');
});

test('while a disk is away, every leftover chunk is kept, and the report says which disk', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', seededBytes(3 * MIB, 'x'));
  leaveLeftovers(store);
  const back = takeAway(store, 'disk2');
  const report = await store.gc();
  expect(report.leftoverChunks).toBe(0);
  expect(report.kept).toEqual([expect.stringContaining('"disk2" is missing')]);
  back();
  expect(await store.gc()).toMatchObject({ leftoverChunks: 3, kept: [] });
});

test('a chunk whose only metas are on the disk that is away survives gc', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', seededBytes(3 * MIB, 'x'));
  const third = metaCopies(store, 'key')[2];
  for (const { file } of metaCopies(store, 'key').slice(0, 2)) fs.rmSync(file);
  const back = takeAway(store, third?.disk ?? '');
  await store.gc();
  back();
  expect(seededBytes(3 * MIB, 'x').equals(await read(store, 'key'))).toBe(true);
});

test('while one copy of a meta is damaged, every leftover chunk is kept, and the report says which meta', async () => {
  const store = await newStore();
  await store.put('bucket', 'folder/key', seededBytes(3 * MIB, 'x'));
  leaveLeftovers(store);
  const { file, disk } = metaCopies(store, 'folder/key')[1] ?? { file: '', disk: '' };
  fs.writeFileSync(file, 'damaged');
  const report = await store.gc();
  expect(report.leftoverChunks).toBe(0);
  expect(report.kept).toEqual([expect.stringContaining(`${disk}/buckets/bucket/folder/key.meta.json`)]);
  await store.put('bucket', 'folder/key', Buffer.from('again'));
  expect(await store.gc()).toMatchObject({ leftoverChunks: 3, kept: [] });
});

test('an object whose metas are all damaged keeps its chunks through gc', async () => {
  const store = await newStore();
  const { meta } = await store.put('bucket', 'key', seededBytes(3 * MIB, 'x'));
  for (const { file } of metaCopies(store, 'key')) fs.writeFileSync(file, 'damaged');
  const before = tree(store.root);
  expect((await store.gc()).kept.length).toBeGreaterThan(0);
  expect(tree(store.root)).toEqual(before);
  expect(meta.chunks.length).toBe(3);
});

test('a live upload is not touched by gc, neither its chunks before the commit nor anything after', async () => {
  const store = await newStore();
  const bytes = seededBytes(4 * MIB, 'live');
  const reports: GcReport[] = [];
  async function* source(): AsyncGenerator<Buffer> {
    for (let from = 0; from < bytes.length; from += MIB) {
      yield bytes.subarray(from, from + MIB);
      // Half the chunks of the upload are on the disks, and no meta refers to them.
      if (from === MIB) reports.push(await store.gc(), await store.gc());
    }
  }
  let written = 0;
  const upload = store.put('bucket', 'key', Readable.from(source()), { onBytes: (count) => (written += count) });
  await upload;
  expect(written).toBe(bytes.length);
  expect(reports.map(({ leftoverChunks, stagedFiles }) => [leftoverChunks, stagedFiles])).toEqual([
    [0, 0],
    [0, 0],
  ]);
  expect(bytes.equals(await read(store, 'key'))).toBe(true);
  expect(await store.gc()).toEqual(NOTHING_TO_DO);
});

test('gc in a loop beside uploads, overwrites and deletes never takes a byte of them', async () => {
  const store = await newStore();
  const state = { working: true };
  const collect = async (): Promise<void> => {
    while (state.working) expect(await store.gc()).toMatchObject({ kept: [] });
  };
  const work = async (worker: number): Promise<void> => {
    for (let round = 0; round < 12; round++) {
      const key = `key${round % 3}/${worker}`;
      const bytes = seededBytes(MIB + round, `${key} ${round}`);
      await store.put('bucket', key, bytes);
      expect(bytes.equals(await read(store, key))).toBe(true);
      if (round % 4 === 3) await store.delete('bucket', key);
    }
  };
  const collecting = collect();
  await Promise.all([0, 1, 2].map(work)).finally(() => (state.working = false));
  await collecting;
  await store.gc();
  const kept = objectFiles(store);
  expect(await store.gc()).toEqual(NOTHING_TO_DO);
  expect(objectFiles(store)).toEqual(kept);
});

test('what is no folder, in the place of the chunks of a version that nothing refers to, goes with the leftovers; where chunks belong it stays', async () => {
  const store = await newStore(3, { redundancy: '1+2' });
  const { meta } = await store.put('bucket', 'key', Buffer.from('x'));
  const leftover = path.join(store.root, 'disk1/chunks', freshVersion());
  const needed = path.join(store.root, 'disk2', meta.directory);
  const elsewhere = path.join(path.dirname(store.root), 'elsewhere');
  fs.mkdirSync(elsewhere);
  fs.writeFileSync(path.join(elsewhere, 'mine'), 'mine');
  fs.symlinkSync(elsewhere, leftover);
  fs.rmSync(needed, { recursive: true });
  fs.symlinkSync(elsewhere, needed);
  expect((await store.gc({ dryRun: true })).leftoverChunks).toBe(1);
  expect(await store.gc()).toMatchObject({ leftoverChunks: 1, kept: [], failed: [] });
  expect(fs.lstatSync(needed).isSymbolicLink()).toBe(true);
  expect(fs.existsSync(leftover)).toBe(false);
  expect(fs.readdirSync(elsewhere)).toEqual(['mine']);
});
