import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { chunkFile, fanOutOf } from '../../../src/metadata/shard-file.ts';
import { FaultyDisk, type PlannedFault } from '../../support/faulty-disk.ts';
import type { GcReport, ObjectStore } from '../../../src/index.ts';
import { gc } from '../../../src/store/health/gc.ts';
import { chunkPath, forge, metaCopies, MIB, newStore, objectFiles, read, takeAway, tree } from '../../support/store.ts';
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
  for (const [disk, orders] of [
    ['disk1', [0, 2]],
    ['disk3', [1]],
  ] as const) {
    fs.mkdirSync(path.join(store.root, disk, fanOutOf(id)), { recursive: true });
    for (const order of orders)
      fs.writeFileSync(path.join(store.root, disk, chunkFile(id, order)), seededBytes(1000, order));
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
  const before = objectFiles(store);
  leaveLeftovers(store);
  leaveLeftovers(store);
  expect(await store.gc()).toEqual({ ...NOTHING_TO_DO, leftoverChunks: 6, leftoverBytes: 6000, stagedFiles: 6 });
  expect(objectFiles(store)).toEqual(before);
});

test('folders of keys that lead to nothing are removed; an empty fan-out folder stays', async () => {
  const store = await newStore();
  await store.put('bucket', 'a/b', Buffer.from('x'));
  fs.mkdirSync(path.join(store.root, 'disk2', fanOutOf(freshVersion())), { recursive: true });
  const before = tree(store.root);
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
  fs.copyFileSync(first, first.replace('.000000.', '.000009.'));
  fs.copyFileSync(first, path.join(path.dirname(chunkPath(store, meta, 1)), path.basename(first)));
  expect(await store.gc()).toMatchObject({ leftoverChunks: 2, leftoverBytes: 2 * MIB });
  expect(tree(store.root)).toEqual(before);
});

test('what cannot be removed is named as failed, and does not keep the rest from being removed', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', seededBytes(MIB, 'x'));
  leaveLeftovers(store);
  const stuck = chunkFile(freshVersion(), 0);
  fs.mkdirSync(path.join(store.root, 'disk2', path.dirname(stuck)), { recursive: true });
  fs.writeFileSync(path.join(store.root, 'disk2', stuck), 'x');
  const fault: PlannedFault = { operation: 'remove', path: stuck, effect: { kind: 'fail', errno: 'EIO' } };
  const context = await contextOf(store, (disk) => (disk.name === 'disk2' ? new FaultyDisk(disk, [fault]) : disk));
  const report = await gc(context, {});
  expect(report).toMatchObject({ leftoverChunks: 3, leftoverBytes: 3000, stagedFiles: 3, kept: [] });
  expect(report.failed.join()).toContain(stuck);
  expect(fs.existsSync(path.join(store.root, 'disk2', stuck))).toBe(true);
});

test('what has not the name of a chunk, or not in its place, is left alone', async () => {
  const store = await newStore();
  const chunks = path.join(store.root, 'disk1/chunks');
  const name = path.basename(chunkFile(freshVersion(), 0));
  const id = name.slice(0, 36);
  const fanOut = path.join(store.root, 'disk1', fanOutOf(id));
  const another = path.join(chunks, id.endsWith('00') ? '01' : '00');
  const strangers = [
    ...['notes', 'lost+found', randomUUID(), freshVersion(), '0', 'A0', '0a0'].map((folder) =>
      path.join(chunks, folder, name),
    ),
    ...['notes', `.${name}.corrupt`, `${name}.tmp`, `${name}.corrupt.corrupt`, `x${name}`, `${id}.00000.chunk`].map(
      (file) => path.join(fanOut, file),
    ),
    ...[`${id}.000000.parity`, `${id}.000000`, `${randomUUID()}.000000.chunk`].map((file) => path.join(fanOut, file)),
    path.join(another, name),
    path.join(fanOut, 'folder', name),
  ];
  for (const file of strangers) {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, 'x');
  }
  fs.writeFileSync(path.join(chunks, 'ff'.replace(id.slice(-2), 'ee')), 'no folder');
  const before = tree(store.root);
  expect(await store.gc()).toEqual(NOTHING_TO_DO);
  expect(tree(store.root)).toEqual(before);
});

test('what stands under the name of a leftover chunk goes, whatever it is, and nothing that it leads to', async () => {
  const store = await newStore();
  const elsewhere = path.join(path.dirname(store.root), 'elsewhere');
  fs.mkdirSync(elsewhere);
  fs.writeFileSync(path.join(elsewhere, 'mine'), 'mine');
  const id = freshVersion();
  fs.mkdirSync(path.join(store.root, 'disk1', fanOutOf(id)), { recursive: true });
  const [link = '', folder = '', aside = ''] = [chunkFile(id, 0), chunkFile(id, 1), `${chunkFile(id, 2)}.corrupt`].map(
    (file) => path.join(store.root, 'disk1', file),
  );
  fs.symlinkSync(elsewhere, link);
  fs.mkdirSync(path.join(folder, 'deep'), { recursive: true });
  fs.writeFileSync(aside, 'aside');
  expect((await store.gc({ dryRun: true })).leftoverChunks).toBe(3);
  expect(await store.gc()).toMatchObject({ leftoverChunks: 3, kept: [], failed: [] });
  expect(fs.readdirSync(path.dirname(link))).toEqual([]);
  expect(fs.readdirSync(elsewhere)).toEqual(['mine']);
});

test('a link in the place of a fan-out folder leads gc nowhere', async () => {
  const store = await newStore();
  const id = freshVersion();
  const elsewhere = path.join(path.dirname(store.root), 'elsewhere');
  fs.mkdirSync(elsewhere);
  fs.writeFileSync(path.join(elsewhere, path.basename(chunkFile(id, 0))), 'mine');
  fs.symlinkSync(elsewhere, path.join(store.root, 'disk1', fanOutOf(id)));
  expect(await store.gc()).toEqual(NOTHING_TO_DO);
  expect(fs.readdirSync(elsewhere)).toHaveLength(1);
});

test('what has been set aside for a chunk that a meta refers to stays until it is mended', async () => {
  const store = await newStore();
  const { meta } = await store.put('bucket', 'key', seededBytes(MIB, 'x'));
  fs.renameSync(chunkPath(store, meta, 0), `${chunkPath(store, meta, 0)}.corrupt`);
  const before = tree(store.root);
  expect(await store.gc()).toEqual(NOTHING_TO_DO);
  expect(tree(store.root)).toEqual(before);
});

test('the chunks of several uploads that one meta refers to stay, and go with it', async () => {
  const store = await newStore();
  const { meta } = await store.put('bucket', 'key', seededBytes(3 * MIB, 'x'));
  const id = freshVersion();
  const from = chunkPath(store, meta, 1);
  const file = chunkFile(id, 7);
  const to = path.join(store.root, meta.chunks[1]?.disk ?? '', file);
  fs.mkdirSync(path.dirname(to), { recursive: true });
  fs.renameSync(from, to);
  for (const copy of metaCopies(store, 'key'))
    forge(copy.file, (document) => {
      document['chunks'] = meta.chunks.map((chunk) => (chunk.order === 1 ? { ...chunk, file } : chunk));
    });
  expect(await store.gc()).toEqual(NOTHING_TO_DO);
  // A reader has the locks of both uploads.
  const { body } = await store.get('bucket', 'key');
  await store.put('bucket', 'key', Buffer.from('new'));
  expect(await store.gc()).toMatchObject({ leftoverChunks: 0, inUse: 2 });
  expect(seededBytes(3 * MIB, 'x').equals(await buffer(body))).toBe(true);
  let report = await store.gc();
  while (report.inUse > 0) report = await store.gc();
  expect(objectFiles(store).filter((name) => name.includes('/chunks/'))).toHaveLength(1);
  expect(fs.existsSync(to)).toBe(false);
});

test('an object of no bytes has nothing to be held, kept or removed: it is read, overwritten, healed and deleted as any other', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', Buffer.alloc(0));
  const { body } = await store.get('bucket', 'key');
  expect(await store.heal()).toMatchObject({ objects: 1, whole: 1, failed: [] });
  await store.put('bucket', 'key', Buffer.from('x'));
  expect((await buffer(body)).length).toBe(0);
  await store.put('bucket', 'key', Buffer.alloc(0));
  expect(await store.gc()).toEqual(NOTHING_TO_DO);
  await store.delete('bucket', 'key');
  expect(objectFiles(store)).toEqual([]);
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
