import * as path from 'node:path';
import { expect, test } from 'vitest';
import { ObjectStore } from '../../../src/index.ts';
import { seededBytes } from '../../support/bytes.ts';
import { NOTHING_TO_DO } from '../../support/gc.ts';
import { expectAll, expectDistinct, expectWhole, metasOf } from '../../support/shards.ts';
import { MIB, newStore, takeAway } from '../../support/store.ts';

async function filled(
  disks: number,
  redundancy: string,
  count: number,
): Promise<{ store: ObjectStore; objects: Map<string, Buffer> }> {
  const store = await newStore(disks, { redundancy });
  const objects = new Map(
    Array.from({ length: count }, (_, index) => [
      `key ${index}`,
      seededBytes(((index % 3) + 1) * 300_000 + index, index),
    ]),
  );
  for (const [key, bytes] of objects) await store.put('bucket', key, bytes);
  return { store, objects };
}

async function usedBytes(store: ObjectStore): Promise<number[]> {
  return (await store.usage()).map(({ used }) => used);
}

function spread(used: readonly number[]): number {
  return Math.max(...used) - Math.min(...used);
}

test.each(['1+0', '1+1', '2+1'])(
  '%s: after disks were added, a rebalance evens out; a second one finds it done',
  async (redundancy) => {
    const { store, objects } = await filled(3, redundancy, 18);
    for (const disk of ['disk4', 'disk5']) await store.addDisk(disk, path.join(store.root, disk));
    const other = await ObjectStore.open(store.root);
    expect((await usedBytes(store)).slice(3)).toEqual([0, 0]);
    const total = (await usedBytes(store)).reduce((sum, bytes) => sum + bytes, 0);
    const report = await store.rebalance();
    expect(report.failed).toEqual([]);
    expect(report.moved).toBeGreaterThan(0);
    const used = await usedBytes(store);
    expect(used.reduce((sum, bytes) => sum + bytes, 0)).toBe(total);
    // All disks have the same room, so no two differ by more than what one move could mend.
    expect(spread(used)).toBeLessThan(2 * MIB);
    for (const meta of await metasOf(store)) expectDistinct(meta);
    await expectAll(store, objects);
    await expectAll(other, objects);
    await expectWhole(store);
    // Where sizes differ a second look can find a little more to do, and soon there is nothing.
    expect((await store.rebalance()).moved).toBeLessThan(report.moved / 2);
    await store.rebalance();
    expect((await store.rebalance()).moved).toBe(0);
    expect(await store.gc()).toEqual(NOTHING_TO_DO);
    if (redundancy === '1+0') return;
    for (const disk of ['disk1', 'disk4']) {
      const back = takeAway(store, disk);
      await expectAll(store, objects);
      back();
    }
  },
);

test('a store that is even has nothing to move', async () => {
  const { store } = await filled(3, '3+0', 0);
  for (let index = 0; index < 3; index++) await store.put('bucket', String(index), seededBytes(3 * MIB, index));
  expect(await store.rebalance()).toEqual({ moved: 0, movedBytes: 0, failed: [] });
});

test('a rebalance that is aborted has moved what it has moved, and the next one ends it', async () => {
  const { store, objects } = await filled(3, '1+1', 18);
  await store.addDisk('disk4', path.join(store.root, 'disk4'));
  const controller = new AbortController();
  await store
    .rebalance({
      signal: controller.signal,
      onBytes: () => {
        controller.abort();
      },
    })
    .catch(() => undefined);
  await expectAll(store, objects);
  await expectWhole(store);
  await store.rebalance();
  expect(spread(await usedBytes(store))).toBeLessThan(2 * MIB);
  await expectWhole(store);
  await expectAll(store, objects);
  expect(await store.gc()).toEqual(NOTHING_TO_DO);
});

test('with a disk away a rebalance leaves what is there alone, and moves among the others', async () => {
  const { store, objects } = await filled(4, '1+1', 12);
  await store.addDisk('disk5', path.join(store.root, 'disk5'));
  const back = takeAway(store, 'disk2');
  const before = (await store.usage()).find(({ disk }) => disk === 'disk2');
  await store.rebalance();
  expect((await store.usage()).find(({ disk }) => disk === 'disk2')?.used).toBe(before?.used);
  await expectAll(store, objects);
  back();
  await store.heal();
  await expectWhole(store);
  await expectAll(store, objects);
});
