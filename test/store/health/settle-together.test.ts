import { randomBytes } from 'node:crypto';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ObjectStore } from '../../../src/index.ts';
import { KernelLocks } from '../../../src/locks/kernel-locks.ts';
import { lockName } from '../../../src/locks/locks.ts';
import { metaKind } from '../../../src/metadata/catalog.ts';
import { gc } from '../../../src/store/health/gc.ts';
import { heal } from '../../../src/store/health/heal.ts';
import { settleTogether } from '../../../src/store/health/settle-together.ts';
import { sortOut } from '../../../src/store/health/settle.ts';
import type { StoreContext } from '../../../src/store/protocol/context.ts';
import { Walk, type WalkedMeta } from '../../../src/store/protocol/walk.ts';
import { contextOf } from '../../support/context.ts';
import { FaultyDisk, type PlannedFault } from '../../support/faulty-disk.ts';
import { filesIn, metaCopies, newStore, read, takeAway } from '../../support/store.ts';

const KEYS = Array.from({ length: 24 }, (_, index) => `folder${index % 2}/key${String(index).padStart(2, '0')}`);

function metaPath(key: string): string {
  return metaKind('bucket', key).path;
}

/** A store of which disk3 has missed the latest put of every key, and what these are. */
async function staleStore(): Promise<{ store: ObjectStore; objects: Map<string, Buffer> }> {
  const store = await newStore(3, { redundancy: '1+1' });
  const objects = new Map(KEYS.map((key, index) => [key, randomBytes(index)]));
  // Of every second key it has an older version, of the others none.
  for (const key of KEYS.filter((_, index) => index % 4 < 2)) await store.put('bucket', key, randomBytes(5));
  const bringBack = takeAway(store, 'disk3');
  for (const [key, bytes] of objects) await store.put('bucket', key, bytes);
  bringBack();
  return { store, objects };
}

/** Another view of the store whose disk3 has faults. */
async function faultyContext(store: ObjectStore, faults: PlannedFault[]) {
  const disks: FaultyDisk[] = [];
  const context = await contextOf(store, (disk) => {
    const faulty = new FaultyDisk(disk, disk.name === 'disk3' ? faults : []);
    disks.push(faulty);
    return faulty;
  });
  const expectAllFired = (): void => {
    for (const disk of disks) disk.expectAllFired();
  };
  return { context, expectAllFired };
}

/** What a walk finds that is not in step. */
async function walkUnsettled(context: StoreContext) {
  const view = await context.lookForWriting();
  const walked: WalkedMeta[] = [];
  for await (const slice of new Walk(context, view).mapMetas((all) => all)) walked.push(...sortOut(slice).rest);
  return { context, view, walked, options: { dryRun: false, mend: true } };
}

async function settledKeys(context: StoreContext): Promise<string[]> {
  return [...(await settleTogether(await walkUnsettled(context)))].map(([{ key }]) => key).sort();
}

function expectInStep(store: ObjectStore, keys: readonly string[]): void {
  for (const key of keys) {
    const copies = metaCopies(store, key);
    expect(copies.length, key).toBe(3);
    expect(new Set(copies.map(({ text }) => text)).size, key).toBe(1);
  }
}

describe('keys that are settled together', () => {
  test('are in step then, each with the newest version, and tell of it', async () => {
    const { store, objects } = await staleStore();
    const context = await contextOf(store);
    const settled = await settleTogether(await walkUnsettled(context));
    expect([...settled].map(([{ key }]) => key).sort()).toEqual([...KEYS].sort());
    for (const [{ key }, { outcome, live }] of settled) {
      expect(outcome).toBe('settled');
      expect(live).toEqual([await store.head('bucket', key)]);
    }
    expectInStep(store, KEYS);
    for (const [key, bytes] of objects) expect((await read(store, key)).equals(bytes)).toBe(true);
    expect((await walkUnsettled(context)).walked).toEqual([]);
    for (const { name } of store.document.disks) expect(filesIn(path.join(store.root, name, 'tmp'))).toEqual([]);
  });

  test.each(['heal', 'gc'] as const)('are counted by %s, which has nothing more to do then', async (by) => {
    const { store } = await staleStore();
    const dry = await (by === 'heal' ? store.heal({ dryRun: true }) : store.gc({ dryRun: true }));
    expect(dry.settled).toBe(KEYS.length);
    const report = await (by === 'heal' ? store.heal() : store.gc());
    expect(report).toMatchObject({ settled: KEYS.length, failed: [] });
    expectInStep(store, KEYS);
    expect((await store.gc()).settled).toBe(0);
  });

  test('do not wait for one that somebody else has, which is left to be settled by itself', async () => {
    const { store } = await staleStore();
    const context = await contextOf(store);
    const session = await new KernelLocks(path.join(store.root, '.lock')).open('write');
    await session.lock(lockName.key('bucket', KEYS[3] ?? ''), 'exclusive');
    const settled = await settledKeys(context);
    await session.close();
    expect(settled).toEqual(KEYS.filter((_, index) => index !== 3).sort());
    expect(await store.heal()).toMatchObject({ settled: 1, failed: [] });
    expectInStep(store, KEYS);
  });

  test('are judged anew under their locks: what has been overwritten since the walk stays so', async () => {
    const { store } = await staleStore();
    const context = await contextOf(store);
    const unsettled = await walkUnsettled(context);
    await store.put('bucket', KEYS[0] ?? '', Buffer.from('newer'));
    await store.delete('bucket', KEYS[1] ?? '');
    const settled = await settleTogether(unsettled);
    const outcomes = new Map([...settled].map(([{ key }, { outcome }]) => [key, outcome]));
    expect(outcomes.get(KEYS[0] ?? '')).toBe('agreed');
    expect(outcomes.has(KEYS[1] ?? '')).toBe(false);
    expect(String(await read(store, KEYS[0] ?? ''))).toBe('newer');
    expect(metaCopies(store, KEYS[1] ?? '')).toEqual([]);
  });

  test.each(['stage', 'publish'] as const)(
    'leave one alone that a disk does not %s; the others are settled',
    async (operation) => {
      const { store } = await staleStore();
      const strange = KEYS[5] ?? '';
      const fault: PlannedFault = { operation, path: metaPath(strange), effect: { kind: 'fail', errno: 'EIO' } };
      const { context, expectAllFired } = await faultyContext(store, [fault]);
      expect(await settledKeys(context)).toEqual(KEYS.filter((key) => key !== strange).sort());
      expectAllFired();
      // By itself it is tried once more, and where that fails, it is told.
      const again = await faultyContext(store, [{ ...fault, times: Infinity }]);
      const report = await heal(again.context, {});
      again.expectAllFired();
      expect(report).toMatchObject({ settled: 0, degraded: 1 });
      expect(report.failed.some((line) => line.includes('disk3'))).toBe(true);
      expect(await store.heal()).toMatchObject({ settled: 1, failed: [] });
      expectInStep(store, KEYS);
    },
  );

  test('leave those alone of which a copy is damaged, or can only be a tombstone', async () => {
    const { store } = await staleStore();
    const context = await contextOf(store);
    const bringBack = takeAway(store, 'disk2');
    await store.delete('bucket', KEYS[2] ?? '');
    bringBack();
    const { context: faulty, expectAllFired } = await faultyContext(store, [
      {
        operation: 'read',
        path: metaPath(KEYS[1] ?? ''),
        effect: { kind: 'damage', damage: (bytes) => bytes.fill(0) },
      },
    ]);
    expect(await settledKeys(faulty)).toEqual(KEYS.filter((_, index) => index !== 1 && index !== 2).sort());
    expectAllFired();
    expect(await gc(context, {})).toMatchObject({ settled: 1, tombstones: 1, failed: [] });
  });

  test('are settled by nobody where a walk only looks, and few of them each by itself', async () => {
    const { store } = await staleStore();
    const context = await contextOf(store);
    const unsettled = await walkUnsettled(context);
    expect((await settleTogether({ ...unsettled, options: { dryRun: true, mend: true } })).size).toBe(0);
    expect((await settleTogether({ ...unsettled, walked: unsettled.walked.slice(0, 3) })).size).toBe(0);
    expect((await walkUnsettled(context)).walked.length).toBe(KEYS.length);
  });
});
