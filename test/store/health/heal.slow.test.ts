import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { FaultyDisk, type PlannedFault } from '../../support/faulty-disk.ts';
import { stripesOf, type ObjectHealth, type ObjectStore, type ShardEntry } from '../../../src/index.ts';
import { uploadIds } from '../../../src/metadata/meta.ts';
import { heal } from '../../../src/store/health/heal.ts';
import { seededBytes } from '../../support/bytes.ts';
import { contextOf } from '../../support/context.ts';
import { NOTHING_TO_DO } from '../../support/gc.ts';
import { Dice, expectAll, expectWhole, harmShard, SHARD_HARMS, shardPath, shardsIn } from '../../support/shards.ts';
import {
  diskNames,
  failure,
  filesIn,
  forge,
  metaCopies,
  MIB,
  newStore,
  read,
  takeAway,
  tree,
} from '../../support/store.ts';

const KINDS = [
  { redundancy: '1+1', data: 1, parity: 1, disks: 4 },
  { redundancy: '2+1', data: 2, parity: 1, disks: 5 },
  { redundancy: '4+2', data: 4, parity: 2, disks: 8 },
];

function setAside(store: ObjectStore): string[] {
  return filesIn(store.root).filter((file) => file.endsWith('.corrupt'));
}

/** The store's tree without its lock file, whose bytes say nothing. */
function stamps(store: ObjectStore): string[] {
  return tree(store.root, { stamps: true }).filter((line) => !line.startsWith('.lock'));
}

async function filled(
  disks: number,
  redundancy: string,
  sizes: number[],
): Promise<{ store: ObjectStore; objects: Map<string, Buffer> }> {
  const store = await newStore(disks, { redundancy });
  const objects = new Map(sizes.map((size, index) => [`key ${index}`, seededBytes(size, index)]));
  for (const [key, bytes] of objects) await store.put('bucket', key, bytes);
  return { store, objects };
}

test('a folder that stands where a chunk should be makes way for it, with all that is in it', async () => {
  const { store, objects } = await filled(3, '1+1', [MIB + 1]);
  const meta = await store.head('bucket', 'key 0');
  const [shard] = meta.chunks;
  const place = shardPath(store, shard ?? expect.fail());
  fs.rmSync(place);
  fs.mkdirSync(path.join(place, 'deep'), { recursive: true });
  fs.writeFileSync(path.join(place, 'deep', 'file'), 'x');
  expect((await store.verify()).degraded).toBe(1);
  expect(await store.heal()).toMatchObject({ whole: 1, rebuilt: 1, failed: [] });
  expect(setAside(store)).toEqual([]);
  await expectAll(store, objects);
  expect(await store.gc()).toEqual(NOTHING_TO_DO);
  // Also where nothing refers to it.
  const other = place.replace('.000000.', '.000009.');
  fs.mkdirSync(other);
  expect(await store.gc()).toMatchObject({ leftoverChunks: 1, failed: [] });
  expect(await store.gc()).toEqual(NOTHING_TO_DO);
  expect(fs.existsSync(other)).toBe(false);
});

test.each(KINDS)(
  '$redundancy: any $parity of the shards of every stripe, hurt in any way, are rebuilt where they were; then as many disks more may go',
  async ({ redundancy, data, parity, disks }) => {
    const dice = new Dice();
    const { store, objects } = await filled(disks, redundancy, [0, 1, MIB + 1, (data + 1) * MIB + 77]);
    const names = diskNames(store);
    for (const harm of SHARD_HARMS) {
      let harmed = 0;
      let bytes = 0;
      const hurt = new Set<string>();
      for (const key of objects.keys()) {
        const meta = await store.head('bucket', key);
        for (const { chunks, parity: rows } of stripesOf(meta)) {
          for (const shard of dice.some([...chunks, ...rows], parity)) {
            harmShard(store, shard, harm);
            harmed++;
            bytes += shard.size;
            hurt.add(shard.disk);
          }
        }
      }
      const report = await store.heal();
      expect(report).toMatchObject({
        objects: objects.size,
        whole: objects.size,
        problems: 0,
        rebuilt: harmed,
        rebuiltBytes: bytes,
        moved: 0,
        settled: 0,
        failed: [],
        joined: [],
      });
      expect(report.gc).toEqual(NOTHING_TO_DO);
      expect(setAside(store)).toEqual([]);
      await expectWhole(store);
    }
    for (let times = 0; times < 3; times++) {
      const back = dice.some(names, parity).map((disk) => takeAway(store, disk));
      await expectAll(store, objects);
      for (const put of back) put();
    }
    // A second heal has nothing to do, and does nothing.
    const before = stamps(store);
    expect(await store.heal()).toMatchObject({ whole: objects.size, rebuilt: 0, moved: 0, settled: 0, failed: [] });
    expect(stamps(store)).toEqual(before);
  },
);

test('chunks that are exchanged, chunks that are folders, and a whole folder of chunks that is gone are rebuilt', async () => {
  const { store, objects } = await filled(5, '2+2', [5 * MIB, 3 * MIB + 1, 10]);
  const meta = await store.head('bucket', 'key 0');
  const [one, two] = [meta.chunks[0], meta.chunks[1]].map((chunk) => shardPath(store, chunk as ShardEntry));
  const bytes = fs.readFileSync(one ?? '');
  fs.copyFileSync(two ?? '', one ?? '');
  fs.writeFileSync(two ?? '', bytes);
  const other = await store.head('bucket', 'key 1');
  fs.rmSync(path.dirname(shardPath(store, other.chunks[0] as ShardEntry)), { recursive: true });
  const small = await store.head('bucket', 'key 2');
  const folder = shardPath(store, small.chunks[0] as ShardEntry);
  fs.rmSync(folder);
  fs.mkdirSync(folder);
  expect(await store.heal()).toMatchObject({ objects: 3, whole: 3, failed: [] });
  await expectWhole(store);
  await expectAll(store, objects);
});

test('damaged, missing, stale and forged metas are replaced where enough disks vouch for what they should be', async () => {
  const { store, objects } = await filled(7, '1+2', [MIB + 1, 5]);
  const back = takeAway(store, 'disk6');
  objects.set('key 1', Buffer.from('newer'));
  await store.put('bucket', 'key 1', Buffer.from('newer'));
  back();
  const copies = metaCopies(store, 'key 0').map(({ file }) => file);
  fs.rmSync(copies[0] ?? '');
  fs.truncateSync(copies[2] ?? '', 40);
  forge(copies[4] ?? '', (document) => (document['key'] = 'key 1'));
  fs.writeFileSync(path.join(store.root, 'disk3/buckets/bucket/.bucket.json'), 'nothing');
  fs.rmSync(path.join(store.root, 'disk4/buckets/bucket/.bucket.json'));
  const report = await store.heal();
  expect(report).toMatchObject({ objects: 2, whole: 2, problems: 0, settled: 3, failed: [] });
  for (const key of objects.keys()) {
    const texts = metaCopies(store, key).map(({ text }) => text);
    expect([texts.length, new Set(texts).size]).toEqual([7, 1]);
  }
  const documents = diskNames(store).map((disk) =>
    fs.readFileSync(path.join(store.root, disk, 'buckets/bucket/.bucket.json'), 'utf8'),
  );
  expect(new Set(documents).size).toBe(1);
  await expectWhole(store);
  await expectAll(store, objects);
});

test('metas for which too few disks vouch stay as they are, byte for byte, and the object is named as lost', async () => {
  const { store, objects } = await filled(4, '1+1', [10, 20]);
  for (const { file } of metaCopies(store, 'key 0').slice(0, 3)) fs.truncateSync(file, 30);
  const before = tree(path.join(store.root)).filter((line) => !line.startsWith('.lock'));
  const healths: ObjectHealth[] = [];
  const report = await store.heal({ onObject: (health) => void healths.push(health) });
  expect(report).toMatchObject({ objects: 2, whole: 1, lost: 1 });
  expect(healths.find(({ state }) => state === 'lost')).toMatchObject({ bucket: 'bucket', key: 'key 0' });
  expect(tree(store.root).filter((line) => !line.startsWith('.lock'))).toEqual(before);
  objects.delete('key 0');
  await expectAll(store, objects);
});

test('a meta of a later format is left alone', async () => {
  const { store } = await filled(5, '1+1', [10]);
  const [copy] = metaCopies(store, 'key 0');
  forge(copy?.file ?? '', (document) => (document['format'] = 2));
  const text = fs.readFileSync(copy?.file ?? '', 'utf8');
  await store.heal();
  expect(fs.readFileSync(copy?.file ?? '', 'utf8')).toBe(text);
});

test('objects that are lost are named one by one, with their bytes, and the others are healed all the same; nothing of the lost is touched', async () => {
  const { store, objects } = await filled(5, '2+1', [4 * MIB, 4 * MIB, 4 * MIB, 4 * MIB]);
  for (const key of ['key 1', 'key 2']) {
    const meta = await store.head('bucket', key);
    const stripe = stripesOf(meta)[1];
    for (const shard of stripe?.chunks ?? []) harmShard(store, shard, key === 'key 1' ? 'gone' : 'with a bit flipped');
  }
  const ok = await store.head('bucket', 'key 3');
  harmShard(store, ok.parity[0] as ShardEntry, 'gone');
  const lostFiles = (): string[] => tree(store.root).filter((line) => line.includes(lostId));
  const [lostId = ''] = uploadIds(await store.head('bucket', 'key 2'));
  const before = lostFiles();
  const lost: ObjectHealth[] = [];
  const report = await store.heal({
    onObject: (health) => {
      if (health.state === 'lost') lost.push(health);
    },
  });
  expect(report).toMatchObject({ objects: 4, whole: 2, lost: 2, rebuilt: 1 });
  expect(lost.map(({ key, lost: bytes }) => [key, bytes]).sort()).toEqual([
    ['key 1', [{ from: 2 * MIB, to: 4 * MIB }]],
    ['key 2', [{ from: 2 * MIB, to: 4 * MIB }]],
  ]);
  expect(lostFiles()).toEqual(before);
  for (const key of ['key 1', 'key 2']) objects.delete(key);
  await expectAll(store, objects);
  expect((await read(store, 'key 2', { range: { from: 0, to: 2 * MIB - 1 } })).length).toBe(2 * MIB);
  // What was lost can be deleted, and nothing stays.
  for (const key of ['key 1', 'key 2']) await store.delete('bucket', key);
  expect(await store.heal()).toMatchObject({ objects: 2, whole: 2, lost: 0, gc: NOTHING_TO_DO });
});

/** heal on a store one of whose disks has faults. */
async function healWith(
  store: ObjectStore,
  disk: string,
  faults: PlannedFault[],
): Promise<Awaited<ReturnType<typeof heal>>> {
  const struck: FaultyDisk[] = [];
  const context = await contextOf(store, (plain) => {
    if (plain.name !== disk) return plain;
    const faulty = new FaultyDisk(plain, faults);
    struck.push(faulty);
    return faulty;
  });
  const report = await heal(context, {});
  struck[0]?.expectAllFired();
  return report;
}

test('a bad chunk is set aside before it is replaced, and stays aside until a repair has been proved', async () => {
  const { store, objects } = await filled(5, '2+1', [2 * MIB]);
  const meta = await store.head('bucket', 'key 0');
  const [chunk, other] = meta.chunks;
  if (chunk === undefined || other === undefined) throw new Error('no chunk');
  harmShard(store, chunk, 'with a bit flipped');
  const bad = fs.readFileSync(shardPath(store, chunk));
  const file = new RegExp(`${chunk.file.replace('.', '\\.')}$`);
  const report = await healWith(store, chunk.disk, [
    { operation: 'create', path: file, effect: { kind: 'fail', errno: 'ENOSPC' } },
  ]);
  expect(report).toMatchObject({ degraded: 1, whole: 0, rebuilt: 0 });
  expect(report.failed.length).toBe(1);
  const aside = `${shardPath(store, chunk)}.corrupt`;
  expect(fs.readFileSync(aside).equals(bad)).toBe(true);
  await expectAll(store, objects);
  expect(await store.gc()).toEqual(NOTHING_TO_DO);
  expect(fs.existsSync(aside)).toBe(true);

  // As long as the object is lost it stays: it may hold the only bytes that are left.
  const rest = fs.readFileSync(shardPath(store, other));
  fs.rmSync(shardPath(store, other));
  expect(await store.heal()).toMatchObject({ lost: 1 });
  await store.gc();
  expect(fs.readFileSync(aside).equals(bad)).toBe(true);

  fs.writeFileSync(shardPath(store, other), rest);
  expect(await store.heal()).toMatchObject({ whole: 1, rebuilt: 1, failed: [] });
  expect(setAside(store)).toEqual([]);
  await expectWhole(store);
});

test('what is set aside goes with the object when that is deleted', async () => {
  const { store } = await filled(5, '2+1', [2 * MIB]);
  const meta = await store.head('bucket', 'key 0');
  const [chunk] = meta.chunks;
  if (chunk === undefined) throw new Error('no chunk');
  harmShard(store, chunk, 'with a bit flipped');
  await healWith(store, chunk.disk, [{ operation: 'create', effect: { kind: 'fail', errno: 'ENOSPC' } }]);
  expect(setAside(store).length).toBe(1);
  await store.delete('bucket', 'key 0');
  await store.gc();
  expect(filesIn(store.root).filter((file) => file.includes('chunks/'))).toEqual([]);
});

test('a chunk that could not be read for a moment is not destroyed where it cannot be set aside', async () => {
  const { store } = await filled(5, '2+1', [2 * MIB]);
  const meta = await store.head('bucket', 'key 0');
  const [chunk] = meta.chunks;
  if (chunk === undefined) throw new Error('no chunk');
  const before = tree(store.root).filter((line) => line.includes('chunks/'));
  const report = await healWith(store, chunk.disk, [
    { operation: 'read', path: /\.chunk$/, effect: { kind: 'fail', errno: 'EIO' } },
    { operation: 'rename', effect: { kind: 'fail', errno: 'EIO' } },
  ]);
  expect(report).toMatchObject({ whole: 0, rebuilt: 0 });
  expect(tree(store.root).filter((line) => line.includes('chunks/'))).toEqual(before);
  await expectWhole(store);
});

test('what a disk gives back wrong right after it was written is not called healed', async () => {
  const { store, objects } = await filled(5, '2+1', [2 * MIB]);
  const meta = await store.head('bucket', 'key 0');
  const [chunk] = meta.chunks;
  if (chunk === undefined) throw new Error('no chunk');
  harmShard(store, chunk, 'gone');
  const damage = (bytes: Buffer): Buffer => Buffer.from(bytes.map((byte, at) => (at === 9 ? byte ^ 1 : byte)));
  const report = await healWith(store, chunk.disk, [
    { operation: 'read', path: /\.chunk$/, nth: 2, effect: { kind: 'damage', damage } },
  ]);
  expect(report).toMatchObject({ whole: 0, degraded: 1, rebuilt: 0, rebuiltBytes: 0 });
  expect(report.failed.join()).toContain('does not give back what was written');
  await expectAll(store, objects);
  expect(await store.heal()).toMatchObject({ whole: 1, rebuilt: 1 });
});

test('a dry run tells what verify tells, and changes nothing', async () => {
  const { store } = await filled(5, '2+2', [3 * MIB, 2 * MIB, 10, MIB]);
  const [first, second] = [await store.head('bucket', 'key 0'), await store.head('bucket', 'key 1')];
  harmShard(store, first.chunks[0] as ShardEntry, 'gone');
  harmShard(store, first.parity[0] as ShardEntry, 'with a bit flipped');
  for (const shard of shardsIn(second).slice(0, 3)) harmShard(store, shard, 'cut short');
  fs.rmSync(metaCopies(store, 'key 2')[1]?.file ?? '');
  const back = takeAway(store, 'disk4');
  await store.delete('bucket', 'key 3');
  back();
  const verified = await store.verify();
  const before = stamps(store);
  const healths: ObjectHealth[] = [];
  const report = await store.heal({ dryRun: true, onObject: (health) => void healths.push(health) });
  expect(stamps(store)).toEqual(before);
  expect(report).toMatchObject(verified);
  expect(report).toMatchObject({ objects: 3, degraded: 2, lost: 1, rebuilt: 0, moved: 0, joined: [] });
  expect(healths.map(({ key }) => key).sort()).toEqual(['key 0', 'key 1', 'key 2']);
});

test('only the bucket, or the keys of it, that are asked for are healed', async () => {
  const store = await newStore(4, { redundancy: '1+1' });
  await store.createBucket('second');
  for (const bucket of ['bucket', 'second']) {
    for (const key of ['a/1', 'a/2', 'b']) {
      const { meta } = await store.put(bucket, key, Buffer.from(key));
      harmShard(store, meta.chunks[0] as ShardEntry, 'gone');
    }
  }
  const state = async (): Promise<string[]> => {
    const hurt: string[] = [];
    await store.verify({
      onObject: ({ bucket, key, state: is }) => {
        if (is !== 'whole') hurt.push(`${bucket}/${key}`);
      },
    });
    return hurt;
  };
  expect(await store.heal({ bucket: 'second', prefix: 'a/' })).toMatchObject({
    objects: 2,
    whole: 2,
    rebuilt: 2,
    gc: undefined,
  });
  expect(await state()).toEqual(['bucket/a/1', 'bucket/a/2', 'bucket/b', 'second/b']);
  expect(await store.heal({ bucket: 'second' })).toMatchObject({ objects: 3, whole: 3, rebuilt: 1, gc: undefined });
  expect(await state()).toEqual(['bucket/a/1', 'bucket/a/2', 'bucket/b']);
  expect(await store.heal()).toMatchObject({ objects: 6, whole: 6, rebuilt: 3, gc: NOTHING_TO_DO });
  expect(await state()).toEqual([]);
});

test('objects with the least redundancy left come first, and then the others', async () => {
  const store = await newStore(4, { redundancy: '1+3' });
  const kinds = { 'a whole': 0, 'b two left': 1, 'c one left': 2, 'd none left': 3, 'e lost': 4 };
  const count = 8;
  for (const [kind, gone] of Object.entries(kinds)) {
    for (let index = 0; index < count; index++) {
      const { meta } = await store.put('bucket', `${kind} ${index}`, Buffer.from(kind));
      for (const shard of shardsIn(meta).slice(0, gone)) harmShard(store, shard, 'gone');
    }
  }
  const order: string[] = [];
  await store.heal({ onObject: ({ key }) => void order.push(key.slice(0, 1)) });
  expect(order.length).toBe(5 * count);
  // They are mended a few at a time, so each may end some places later than its turn was.
  order.forEach((kind, place) => {
    const rank = { e: 0, d: 0, c: 2, b: 3, a: 4 }[kind] ?? 0;
    expect(place, order.join('')).toBeGreaterThanOrEqual(rank * count - 4);
  });
});

test('a rate is kept to, and a total is told beforehand', async () => {
  const { store } = await filled(5, '2+1', [3 * MIB, 10]);
  const meta = await store.head('bucket', 'key 0');
  for (const shard of shardsIn(meta).slice(1, 2)) harmShard(store, shard, 'gone');
  const state = { total: -1, bytes: 0 };
  const report = await store.heal({
    rate: 1024 * MIB,
    onTotal: (bytes) => {
      expect(state.bytes).toBe(0);
      state.total = bytes;
    },
    onBytes: (bytes) => (state.bytes += bytes),
  });
  expect(report).toMatchObject({ whole: 2, rebuilt: 1, bytes: state.total });
  expect(state.bytes).toBe(state.total);
});

test('a heal that is aborted again and again gets to its end, and never makes anything worse', async () => {
  const { store, objects } = await filled(5, '2+1', [4 * MIB, 4 * MIB, 4 * MIB]);
  for (const key of objects.keys()) {
    const meta = await store.head('bucket', key);
    for (const { chunks } of stripesOf(meta)) harmShard(store, chunks[0] as ShardEntry, 'with a bit flipped');
  }
  let aborted = 0;
  for (let turn = 0; ; turn++) {
    const controller = new AbortController();
    let counted = 0;
    const outcome = await store
      .heal({
        signal: controller.signal,
        onBytes: () => {
          if (++counted > turn * 3) controller.abort();
        },
      })
      .then(
        (report) => report,
        (error: unknown) => error,
      );
    await expectAll(store, objects);
    if (!(outcome instanceof Error)) {
      expect(outcome).toMatchObject({ whole: 3, lost: 0, failed: [] });
      break;
    }
    expect(outcome).toMatchObject({ code: 'ABORTED' });
    aborted++;
  }
  expect(aborted).toBeGreaterThan(1);
  await expectWhole(store);
  expect(setAside(store)).toEqual([]);
  expect(await store.gc()).toEqual(NOTHING_TO_DO);
});

test('with a disk away heal does what it can, says what it cannot, and finishes when the disk is back', async () => {
  const { store, objects } = await filled(5, '2+2', [4 * MIB, 10]);
  const meta = await store.head('bucket', 'key 0');
  const back = takeAway(store, 'disk2');
  const here = shardsIn(meta).filter(({ disk }) => disk !== 'disk2');
  for (const shard of here.slice(0, 1)) harmShard(store, shard, 'gone');
  const report = await store.heal();
  expect(report).toMatchObject({ objects: 2, degraded: 2, rebuilt: 1 });
  expect(report.gc?.kept[0]).toContain('disk2');
  expect(await store.verify()).toMatchObject({
    objects: report.objects,
    whole: report.whole,
    degraded: report.degraded,
    problems: report.problems,
  });
  back();
  expect(await store.heal()).toMatchObject({ whole: 2, rebuilt: 0, failed: [] });
  await expectAll(store, objects);
});

test('with too few disks to write heal is refused and says so', async () => {
  const { store } = await filled(3, '1+1', [10]);
  takeAway(store, 'disk1');
  takeAway(store, 'disk2');
  expect(await failure(store.heal())).toMatchObject({ code: 'TOO_FEW_DISKS_TO_WRITE' });
});
