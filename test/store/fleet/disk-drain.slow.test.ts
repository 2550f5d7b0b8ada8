import * as fs from 'node:fs';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { ObjectStore, type ObjectMeta } from '../../../src/index.ts';
import { removeDisk } from '../../../src/store/fleet/remove.ts';
import { seededBytes } from '../../support/bytes.ts';
import { contextOf, gate } from '../../support/context.ts';
import { NOTHING_TO_DO } from '../../support/gc.ts';
import { expectAll, expectDistinct, expectWhole, metasOf, shardsIn } from '../../support/shards.ts';
import { collect, diskNames, failure, filesIn, keysOf, MIB, newStore, read, takeAway } from '../../support/store.ts';

async function filled(
  disks: number,
  redundancy: string,
  sizes = [0, 1, MIB + 1, 5 * MIB, 3 * MIB],
): Promise<{ store: ObjectStore; objects: Map<string, Buffer> }> {
  const store = await newStore(disks, { redundancy });
  const objects = new Map(sizes.map((size, index) => [`key ${index}`, seededBytes(size, index)]));
  for (const [key, bytes] of objects) await store.put('bucket', key, bytes);
  return { store, objects };
}

function countOn(metas: readonly ObjectMeta[], disk: string): number {
  return metas.flatMap(shardsIn).filter((shard) => shard.disk === disk).length;
}

test.each(['1+0', '1+1', '2+1', '4+2'])(
  '%s: a disk is drained while it is in use, then removed; its folder stays, and all reads',
  async (redundancy) => {
    const { store, objects } = await filled(7, redundancy);
    const other = await ObjectStore.open(store.root);
    const before = countOn(await metasOf(store), 'disk3');
    const report = await store.drainDisk('disk3');
    expect(report).toMatchObject({ moved: before, failed: [] });
    const metas = await metasOf(store);
    expect(countOn(metas, 'disk3')).toBe(0);
    for (const meta of metas) expectDistinct(meta);
    expect(filesIn(path.join(store.root, 'disk3', 'chunks'))).toEqual([]);
    await expectAll(other, objects);
    await expectWhole(store);
    // It takes metas, but no more chunks.
    for (let index = 0; index < 4; index++) {
      const { meta } = await other.put('bucket', `new ${index}`, seededBytes(2 * MIB, index));
      objects.set(`new ${index}`, seededBytes(2 * MIB, index));
      expect(countOn([meta], 'disk3')).toBe(0);
    }
    expect(await store.drainDisk('disk3')).toMatchObject({ moved: 0, failed: [] });
    await store.removeDisk('disk3');
    expect(diskNames(store)).not.toContain('disk3');
    expect(fs.existsSync(path.join(store.root, 'disk3', 'disk.json'))).toBe(true);
    for (const reader of [store, other, await ObjectStore.open(store.root)]) await expectAll(reader, objects);
    await other.put('bucket', 'last', Buffer.from('last'));
    expect(fs.existsSync(path.join(store.root, 'disk3/buckets/bucket/last.meta.json'))).toBe(false);
    await expectWhole(other);
    expect(await store.gc()).toEqual(NOTHING_TO_DO);
  },
);

test.each([
  { redundancy: '1+1', lost: ['disk2'] },
  { redundancy: '2+1', lost: ['disk5'] },
  { redundancy: '4+2', lost: ['disk1', 'disk8'] },
])(
  '$redundancy: disks that are lost for good ($lost) are made up for from the others, and removed',
  async ({ redundancy, lost }) => {
    const { store, objects } = await filled(8, redundancy);
    for (const disk of lost) takeAway(store, disk);
    for (const disk of lost) {
      const report = await store.drainDisk(disk);
      expect(report.failed).toEqual([]);
    }
    const metas = await metasOf(store);
    for (const meta of metas) expectDistinct(meta);
    for (const disk of lost) expect(countOn(metas, disk)).toBe(0);
    await store.delete('bucket', 'key 0');
    objects.delete('key 0');
    for (const disk of lost) await store.removeDisk(disk);
    expect(diskNames(store).length).toBe(8 - lost.length);
    await expectWhole(store);
    await store.gc();
    expect(await store.gc()).toEqual(NOTHING_TO_DO);
    const back = takeAway(store, 'disk7');
    await expectAll(store, objects);
    back();
    await expectAll(store, objects);
  },
);

test('heal moves what is left on a disk that is being drained, and calls it whole only then', async () => {
  const { store, objects } = await filled(5, '2+1');
  // More than are moved side by side, so that some are left.
  for (let index = 0; index < 40; index++) {
    const bytes = seededBytes(1000, index);
    await store.put('bucket', `small ${index}`, bytes);
    objects.set(`small ${index}`, bytes);
  }
  const controller = new AbortController();
  const draining = store.drainDisk('disk2', {
    signal: controller.signal,
    onBytes: () => {
      controller.abort();
    },
  });
  await draining.catch(() => undefined);
  expect(store.document.disks[1]?.role).toBe('draining');
  const left = countOn(await metasOf(store), 'disk2');
  expect(left).toBeGreaterThan(0);
  const { problems } = await store.verify();
  expect(problems).toBe(left);
  expect(await store.heal()).toMatchObject({ whole: objects.size, moved: left, failed: [] });
  expect(countOn(await metasOf(store), 'disk2')).toBe(0);
  await store.removeDisk('disk2');
  await expectWhole(store);
  await expectAll(store, objects);
  expect(await store.gc()).toEqual(NOTHING_TO_DO);
});

test('a drain can be called off: the disk takes chunks again', async () => {
  const { store, objects } = await filled(3, '1+0');
  await store.drainDisk('disk1');
  await store.cancelDrain('disk1');
  expect(store.document.disks.map(({ role }) => role)).toEqual([undefined, undefined, undefined]);
  const used = new Set<string>();
  for (let index = 0; index < 3; index++) {
    const { meta } = await store.put('bucket', `new ${index}`, seededBytes(3 * MIB, index));
    for (const { disk } of meta.chunks) used.add(disk);
  }
  expect(used.has('disk1')).toBe(true);
  await expectAll(store, objects);
  await expectWhole(store);
});

test('a disk that is needed is not drained: for the store, a bucket, an object, or because it is the only one', async () => {
  const refused = async (store: ObjectStore, disk: string, words: RegExp): Promise<void> => {
    const document = structuredClone(store.document);
    const error = await failure(store.drainDisk(disk));
    expect(error).toMatchObject({ code: 'DISK_NEEDED', disk });
    expect(error.message).toMatch(words);
    expect(store.document).toEqual(document);
  };
  await refused(await newStore(1), 'disk1', /only one/);
  await refused(await newStore(3, { redundancy: '2+1' }), 'disk1', /store's redundancy 2\+1 takes 3 disks/);
  const store = await newStore(4, { redundancy: '1+1' });
  await store.createBucket('wide', { redundancy: '2+2' });
  await refused(store, 'disk4', /2\+2 of bucket wide takes 4 disks/);
  await store.deleteBucket('wide');
  await store.put('bucket', 'wide', seededBytes(3 * MIB, 'wide'), { redundancy: '3+1' });
  await refused(store, 'disk2', /3\+1 of bucket\/wide takes 4 disks/);
  await store.delete('bucket', 'wide');
  await store.put('bucket', 'narrow', seededBytes(MIB, 'narrow'), { redundancy: '3+1' });
  await store.drainDisk('disk2');
  expect(await failure(store.drainDisk('disk9'))).toMatchObject({ code: 'NO_SUCH_DISK' });
  await store.removeDisk('disk2');
  expect(diskNames(store)).toEqual(['disk1', 'disk3', 'disk4']);
});

test('of two drains at once that are one too many, one is refused', async () => {
  const { store, objects } = await filled(3, '1+1');
  const outcomes = await Promise.allSettled([store.drainDisk('disk1'), store.drainDisk('disk2')]);
  expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  await store.put('bucket', 'new', Buffer.from('new'));
  await expectAll(store, objects);
});

test('a disk is not removed before it has been drained, nor with chunks on it, nor while too few others have all metas', async () => {
  const { store, objects } = await filled(5, '2+1');
  expect(await failure(store.removeDisk('disk9'))).toMatchObject({ code: 'NO_SUCH_DISK' });
  expect(await failure(store.removeDisk('disk1'))).toMatchObject({ code: 'DISK_NEEDED', disk: 'disk1' });
  // More chunks than are moved side by side.
  objects.set('large', Buffer.alloc(80 * MIB, 'large'));
  await store.put('bucket', 'large', objects.get('large') ?? '', { redundancy: '1+0', durability: 'none' });
  const controller = new AbortController();
  await store
    .drainDisk('disk1', {
      signal: controller.signal,
      onBytes: () => {
        controller.abort();
      },
    })
    .catch(() => undefined);
  const left = countOn(await metasOf(store), 'disk1');
  expect((await failure(store.removeDisk('disk1'))).message).toMatch(
    new RegExp(`chunks.*\\b${left}\\b|\\b${left} chunks`),
  );
  await store.drainDisk('disk1');
  const back = ['disk4', 'disk5'].map((disk) => takeAway(store, disk));
  expect((await failure(store.removeDisk('disk1'))).message).toMatch(
    /3 other disks must be online and have all metas; 2 are$/,
  );
  for (const bring of back) bring();
  await store.removeDisk('disk1');
  await expectAll(store, objects);
  await expectWhole(store);
});

test('an upload that began before a drain, and ends after the disk was removed, says what it lacks or fails; nothing acknowledged is lost', async () => {
  for (const redundancy of ['1+0', '2+1']) {
    const { store, objects } = await filled(4, redundancy);
    const other = await ObjectStore.open(store.root);
    const bytes = seededBytes(8 * MIB, 'slow');
    const removed = gate();
    async function* slowly(): AsyncGenerator<Buffer> {
      yield bytes.subarray(0, 6 * MIB);
      await removed.opened;
      yield bytes.subarray(6 * MIB);
    }
    const putting = other.put('bucket', 'slow', Readable.from(slowly())).catch((error: unknown) => error);
    await store.drainDisk('disk2');
    await store.removeDisk('disk2');
    removed.open();
    const outcome = await putting;
    if (outcome instanceof Error) {
      expect(outcome).toMatchObject({ code: 'TOO_FEW_DISKS_TO_WRITE' });
      expect(await keysOf(store)).not.toContain('slow');
    } else {
      objects.set('slow', bytes);
    }
    await expectAll(store, objects);
    expect(await store.heal()).toMatchObject({ degraded: 0, lost: 0, failed: [] });
    await expectAll(store, objects);
    await expectWhole(store);
    expect(await store.gc()).toMatchObject({ ...NOTHING_TO_DO });
  }
});

test('an upload that commits with chunks on a disk, at the last moment before that is removed, keeps it from being removed', async () => {
  const { store, objects } = await filled(4, '1+0', [10, 20, 30, 40]);
  const bytes = seededBytes(6 * MIB, 'late');
  const going = gate();
  async function* slowly(): AsyncGenerator<Buffer> {
    yield bytes.subarray(0, 5 * MIB);
    await going.opened;
    yield bytes.subarray(5 * MIB);
  }
  const written = gate();
  let counted = 0;
  const onBytes = (): void => {
    if (++counted === 5) written.open();
  };
  const putting = store.put('bucket', 'late', Readable.from(slowly()), { onBytes });
  await written.opened;
  await store.drainDisk('disk2');
  const context = await contextOf(store);
  const change = context.members.change.bind(context.members);
  let attempts = 0;
  context.members.change = async (...args) => {
    attempts++;
    going.open();
    await putting;
    return change(...args);
  };
  const outcome = await removeDisk(context, 'disk2', {}).then(
    () => 'removed',
    (error: unknown) => error,
  );
  going.open();
  const { meta } = await putting;
  objects.set('late', bytes);
  expect(attempts).toBeGreaterThan(0);
  expect(countOn([meta], 'disk2')).toBeGreaterThan(0);
  expect(outcome).toMatchObject({ code: 'DISK_NEEDED' });
  await expectAll(store, objects);
});

test('readers that began before a drain, a rebalance and the removal of the disk finish on what they began with', async () => {
  const { store } = await filled(4, '1+0', []);
  const slow = await ObjectStore.open(store.root, { concurrency: 1 });
  const bytes = seededBytes(12 * MIB, 'reader');
  await store.put('bucket', 'key', bytes);
  const { body } = await slow.get('bucket', 'key');
  const iterator = body[Symbol.asyncIterator]();
  const first = (await iterator.next()).value as Buffer;
  await store.drainDisk('disk1');
  await store.gc();
  await store.addDisk('disk5', path.join(store.root, 'disk5'));
  await store.rebalance();
  await store.gc();
  await store.removeDisk('disk1');
  await store.gc();
  const rest: Buffer[] = [];
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next())
    rest.push(next.value as Buffer);
  expect(Buffer.concat([first, ...rest]).equals(bytes)).toBe(true);
  await expect.poll(async () => (await store.gc()).inUse).toBe(0);
  expect((await read(store, 'key')).equals(bytes)).toBe(true);
  expect(await store.gc()).toEqual(NOTHING_TO_DO);
  expect(filesIn(store.root).filter((file) => file.endsWith('.chunk') && !file.startsWith('disk1/')).length).toBe(12);
});

test('a name that was removed can be added again, with an empty folder', async () => {
  const { store, objects } = await filled(4, '2+1');
  await store.drainDisk('disk2');
  await store.removeDisk('disk2');
  // What is in the old folder is nobody's any more, and is not taken for empty.
  expect(await failure(store.addDisk('disk2', path.join(store.root, 'disk2')))).toMatchObject({ code: 'BAD_ROOT' });
  fs.rmSync(path.join(store.root, 'disk2'), { recursive: true });
  await store.addDisk('disk2', path.join(store.root, 'disk2'));
  await expectWhole(store);
  for (const disk of diskNames(store)) {
    const back = takeAway(store, disk);
    await expectAll(store, objects);
    back();
  }
  const { body } = await store.get('bucket', 'key 3');
  expect((await collect(body)).equals(objects.get('key 3') ?? Buffer.alloc(0))).toBe(true);
});

test('a disk that is lost for good is drained and removed beside uploads and deletes, which go on', async () => {
  const { store, objects } = await filled(5, '2+1');
  const other = await ObjectStore.open(store.root);
  takeAway(store, 'disk2');
  const state = { isOver: false };
  const write = async (): Promise<void> => {
    for (let turn = 0; !state.isOver || turn < 6; turn++) {
      const key = `live ${turn % 5}`;
      const bytes = seededBytes(turn * 1000, turn);
      await other.put('bucket', key, bytes);
      objects.set(key, bytes);
      if (turn % 4 !== 0) continue;
      await other.delete('bucket', key);
      objects.delete(key);
    }
  };
  const remove = async (): Promise<void> => {
    try {
      await store.drainDisk('disk2');
      for (let tries = 1; ; tries++) {
        const error = await store.removeDisk('disk2').then(
          () => undefined,
          (reason: unknown) => reason,
        );
        if (error === undefined) return;
        if (tries === 20) throw error as Error;
        // An upload that began before the drain has left something on it.
        await store.drainDisk('disk2');
      }
    } finally {
      state.isOver = true;
    }
  };
  await Promise.all([remove(), write()]);
  await store.heal();
  await expectWhole(store);
  await expectAll(store, objects);
  expect(await store.gc()).toEqual(NOTHING_TO_DO);
});

test('a drain that is interrupted keeps what it has moved, and leaves nothing beside it', async () => {
  const { store, objects } = await filled(4, '1+0', []);
  objects.set('large', Buffer.alloc(64 * MIB, 'large'));
  const { meta } = await store.put('bucket', 'large', objects.get('large') ?? '', { durability: 'none' });
  const controller = new AbortController();
  const interrupted = store.drainDisk('disk1', {
    signal: controller.signal,
    onBytes: () => {
      controller.abort();
    },
  });
  expect(await failure(interrupted)).toMatchObject({ code: 'ABORTED' });
  const left = countOn(await metasOf(store), 'disk1');
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThan(countOn([meta], 'disk1'));
  expect(await store.gc()).toMatchObject({ leftoverChunks: 0, kept: [], failed: [] });
  expect(await store.drainDisk('disk1')).toMatchObject({ moved: left, failed: [] });
  await expectAll(store, objects);
});
