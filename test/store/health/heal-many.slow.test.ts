import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { Throttle } from '../../../src/concurrency/throttle.ts';
import {
  ObjectStore,
  type HealOptions,
  type HealReport,
  type ObjectHealth,
  type ObjectMeta,
  type ShardEntry,
} from '../../../src/index.ts';
import { KernelLocks } from '../../../src/locks/kernel-locks.ts';
import { lockName } from '../../../src/locks/locks.ts';
import { uploadIds } from '../../../src/metadata/meta.ts';
import { heal } from '../../../src/store/health/heal.ts';
import { ObjectHealer } from '../../../src/store/health/heal-objects.ts';
import { mend } from '../../../src/store/health/mend.ts';
import { mendTogether, type MendedTogether } from '../../../src/store/health/mend-together.ts';
import { Obstacles } from '../../../src/store/health/obstacles.ts';
import { Relocation } from '../../../src/store/health/relocation.ts';
import type { StoreContext } from '../../../src/store/protocol/context.ts';
import { contextOf } from '../../support/context.ts';
import { DISK_KINDS, diskOf, storeOn } from '../../support/disk-kinds.ts';
import { FaultyDisk, type PlannedFault } from '../../support/faulty-disk.ts';
import { NOTHING_TO_DO } from '../../support/gc.ts';
import { expectAll, expectWhole, metasOf, shardPath, shardsIn } from '../../support/shards.ts';
import { failure, filesIn, newStore, takeAway } from '../../support/store.ts';

function isOnDisk2({ disk }: ShardEntry): boolean {
  return disk === 'disk2';
}

/** Puts small objects, some of them empty, many at once. */
async function fill(store: ObjectStore, count: number, most = 300): Promise<Map<string, Buffer>> {
  const objects = new Map<string, Buffer>();
  for (let index = 0; index < count; index++)
    objects.set(`folder${index % 3}/key${index}`, randomBytes(index % 10 === 0 ? 0 : 1 + ((index * 37) % most)));
  const items = [...objects].map(([key, source]) => ({ bucket: 'bucket', key, source }));
  for await (const outcome of store.putMany(items)) if ('error' in outcome) throw outcome.error;
  return objects;
}

/** A full store of 1+1 of which disk2 has lost all of its chunks. */
async function hurtStore(count = 24): Promise<{ store: ObjectStore; objects: Map<string, Buffer>; lost: number }> {
  const store = await newStore(3, { redundancy: '1+1' });
  const objects = await fill(store, count);
  const shards = (await metasOf(store)).flatMap(shardsIn).filter(isOnDisk2);
  for (const shard of shards) fs.rmSync(shardPath(store, shard));
  return { store, objects, lost: shards.length };
}

async function healing(
  store: ObjectStore,
  options: HealOptions = {},
): Promise<{ report: HealReport; healths: Map<string, ObjectHealth> }> {
  const healths = new Map<string, ObjectHealth>();
  const report = await store.heal({
    ...options,
    onObject: (health) => {
      if (health.key !== '') healths.set(health.key, health);
    },
  });
  return { report, healths };
}

/** Another view of the store, whose disk2 has faults. */
async function faultyContext(store: ObjectStore, faults: readonly PlannedFault[]) {
  const disks: FaultyDisk[] = [];
  const context = await contextOf(store, (disk) => {
    const faulty = new FaultyDisk(disk, disk.name === 'disk2' ? faults : []);
    disks.push(faulty);
    return faulty;
  });
  const expectAllFired = (): void => {
    for (const disk of disks) disk.expectAllFired();
  };
  return { context, expectAllFired };
}

/** Mends all of a store's objects together; tells which keys are left to be mended by themselves. */
async function mendAll(
  store: ObjectStore,
  context: StoreContext,
  throttle = new Throttle(undefined),
): Promise<MendedTogether & { alone: string[] }> {
  const objects = (await metasOf(store)).map(({ bucket, key }) => ({ bucket, key }));
  const relocate = await Relocation.of(context, await context.lookForWriting());
  const mended = await mendTogether(context, objects, {
    throttle,
    movesOnly: false,
    relocate,
  });
  return { ...mended, alone: objects.filter((_, index) => mended.healths[index] === undefined).map(({ key }) => key) };
}

/** The one file of disk2 that belongs to an object with one there. */
async function victim(store: ObjectStore): Promise<{ key: string; file: string }> {
  for (const meta of await metasOf(store)) {
    const shard = shardsIn(meta).find(({ disk }) => disk === 'disk2');
    if (shard !== undefined) return { key: meta.key, file: shard.file };
  }
  throw new Error('no chunk is on disk2');
}

describe.each(DISK_KINDS)('many small objects, on $kind', (kind) => {
  test.each(['1+1', '2+1', '1+2'])('are made whole by heal, with %s', async (redundancy) => {
    const store = await storeOn(kind, 4, { redundancy });
    const objects = await fill(store, 60);
    let [lost, bytes] = [0, 0];
    for (const { disk, file, size } of (await metasOf(store)).flatMap(shardsIn)) {
      if (disk !== 'disk2') continue;
      await diskOf(store, disk).remove(file, { within: 'chunks', durable: false });
      lost++;
      bytes += size;
    }
    const { report } = await healing(store);
    expect(report).toMatchObject({ objects: 60, whole: 60, rebuilt: lost, rebuiltBytes: bytes, moved: 0, failed: [] });
    await expectAll(store, objects);
    expect(await store.verify()).toMatchObject({ whole: 60, problems: 0 });
    expect(await store.gc()).toEqual(NOTHING_TO_DO);
  });
});

describe('many small objects', () => {
  test('are brought to a disk that is replaced, which joins; the report is what mending each by itself comes to', async () => {
    const store = await newStore(3, { redundancy: '1+1' });
    const objects = await fill(store, 300);
    const large = randomBytes(200_000);
    await store.put('bucket', 'large', large);
    objects.set('large', large);
    fs.rmSync(path.join(store.root, 'disk2'), { recursive: true });
    await store.replaceDisk('disk2');
    const copy = path.join(path.dirname(store.root), 'copy');
    fs.cpSync(store.root, copy, { recursive: true, preserveTimestamps: true });

    let [total, bytes] = [0, 0];
    const dry = await healing(store, { dryRun: true });
    const { report, healths } = await healing(store, {
      onTotal: (all) => (total = all),
      onBytes: (some) => (bytes += some),
    });
    expect(report).toMatchObject({
      objects: 301,
      whole: 301,
      settled: dry.report.settled,
      joined: ['disk2'],
      failed: [],
    });
    expect(dry.report).toMatchObject({ objects: 301, settled: report.settled });
    expect(bytes).toBe(total);
    expect(report.bytes).toBe(total);
    await expectWhole(store);
    await expectAll(store, objects);

    // Each by itself, in a store that is the same.
    const other = await ObjectStore.open(copy);
    await other.gc();
    const context = await contextOf(other);
    const relocate = await Relocation.of(context, await context.lookForWriting());
    const sums = { rebuilt: 0, rebuiltBytes: 0, moved: 0, movedBytes: 0 };
    for (const key of objects.keys()) {
      const options = { throttle: new Throttle(undefined), movesOnly: false, relocate };
      const { health, failed, ...counts } = await mend(context, 'bucket', key, options);
      expect(failed).toEqual([]);
      expect(health, key).toEqual(healths.get(key));
      for (const name of ['rebuilt', 'rebuiltBytes', 'moved', 'movedBytes'] as const) sums[name] += counts[name];
    }
    expect(report).toMatchObject(sums);
    expect(sums.rebuilt).toBeGreaterThan(100);
    // Both have the same files, and these the same bytes.
    const chunks = (root: string): string[] => filesIn(path.join(root, 'disk2', 'chunks'));
    expect(chunks(store.root)).toEqual(chunks(copy));
    for (const file of chunks(copy))
      expect(
        fs
          .readFileSync(path.join(store.root, 'disk2/chunks', file))
          .equals(fs.readFileSync(path.join(copy, 'disk2/chunks', file))),
      ).toBe(true);
  });

  test('are mended without a disk that is away, and told to be degraded as long as it is', async () => {
    const { store, objects, lost } = await hurtStore(60);
    const bringBack = takeAway(store, 'disk3');
    const unrecoverable = (await metasOf(store)).map(shardsIn).filter((shards) => {
      const on = shards.map(({ disk }) => disk);
      return on.includes('disk2') && on.includes('disk3');
    }).length;
    const { report, healths } = await healing(store);
    expect(report).toMatchObject({ objects: 60, whole: 0, lost: unrecoverable, rebuilt: lost - unrecoverable });
    for (const { problems } of healths.values()) expect(problems.some(({ state }) => state === 'offline')).toBe(true);
    bringBack();
    expect(await store.heal()).toMatchObject({ whole: 60, rebuilt: unrecoverable, failed: [] });
    await expectAll(store, objects);
  });

  test('are grouped in their order, as many as may wait for one another, and without larger ones', async () => {
    const context = await contextOf(await newStore());
    const view = await context.lookForWriting();
    const obstacles = new Obstacles(context, undefined);
    const healer = await ObjectHealer.of(context, view, { obstacles, onBytes: () => undefined });
    const sized = (count: number, size: number | undefined, name: string) =>
      Array.from({ length: count }, (_, index) => ({ bucket: 'bucket', key: `${name}${index}`, size }));
    const tiny = sized(600, 1, 'tiny');
    const some = sized(72, 60_000, 'some');
    const large = [...sized(2, 65_536, 'large'), ...sized(1, undefined, 'unknown')];
    const groups = healer.groupsOf([...large.slice(0, 1), ...tiny, ...some, ...large.slice(1)]);
    expect(groups.flat()).toEqual([...tiny, ...some]);
    for (const group of groups) {
      expect(group.length).toBeLessThanOrEqual(256);
      expect(group.reduce((sum, { size = 0 }) => sum + size, 0)).toBeLessThanOrEqual(2 * 1024 * 1024);
    }
    expect(groups.length).toBe(Math.ceil(600 / 256) + 2);
    expect(healer.groupsOf(tiny.slice(0, 3))).toEqual([]);
  });

  test('are left to be mended by themselves where something is odd about them, and the others are not', async () => {
    const { store, objects, lost } = await hurtStore(60);
    await store.put('bucket', 'large', randomBytes(70_000));
    const hurt = (await metasOf(store)).filter(
      ({ key, ...meta }) => key !== 'large' && shardsIn({ key, ...meta }).some(isOnDisk2),
    );
    const [damaged, long, aside, mending, removing, lostBoth, ...others] = hurt;
    if (!damaged || !long || !aside || !mending || !removing || !lostBoth) throw new Error('too few are hurt');
    const fileOf = (meta: ObjectMeta, isWhole: boolean): string =>
      shardPath(store, shardsIn(meta).find((shard) => isOnDisk2(shard) !== isWhole) ?? expect.fail());
    fs.writeFileSync(fileOf(damaged, false), Buffer.alloc(shardsIn(damaged)[0]?.size ?? 0));
    fs.appendFileSync(fileOf(long, true), 'x');
    fs.writeFileSync(`${fileOf(aside, true)}.corrupt`, 'x');
    fs.rmSync(fileOf(lostBoth, true));
    const session = await new KernelLocks(path.join(store.root, '.lock')).open('write');
    await session.lock(lockName.mend(mending.version), 'exclusive');
    await session.lock(lockName.upload(uploadIds(removing)[0] ?? ''), 'exclusive');
    const mended = await mendAll(store, await contextOf(store));
    await session.close();
    const odd = [damaged, long, aside, mending, removing, lostBoth].map(({ key }) => key);
    expect(mended.alone.sort()).toEqual([...odd, 'large'].sort());
    expect(mended.rebuilt).toBe(others.length);
    objects.delete(long.key);
    objects.delete(lostBoth.key);
    const report = await store.heal();
    expect(report).toMatchObject({ lost: 2, degraded: 0, rebuilt: lost - others.length - 2, failed: [] });
    await expectAll(store, objects);
    expect(fs.existsSync(`${fileOf(aside, true)}.corrupt`)).toBe(false);
  });

  test('are left to be moved by themselves where they have to leave a disk', async () => {
    const store = await newStore(4, { redundancy: '1+1' });
    const objects = await fill(store, 40);
    const stop = new AbortController();
    const draining = store.drainDisk('disk2', {
      signal: stop.signal,
      onBytes: () => {
        stop.abort();
      },
    });
    expect((await failure(draining)).code).toBe('ABORTED');
    const leaving = (await metasOf(store)).filter((meta) => shardsIn(meta).some(isOnDisk2)).map(({ key }) => key);
    expect(leaving.length).toBeGreaterThan(0);
    expect((await mendAll(store, await contextOf(store))).alone.sort()).toEqual(leaving.sort());
    expect(await store.heal()).toMatchObject({ whole: 40, moved: leaving.length, rebuilt: 0, failed: [] });
    await expectAll(store, objects);
  });

  test.each<[string, PlannedFault['operation'], PlannedFault['effect']]>([
    ['a disk does not take a shard', 'create', { kind: 'fail', errno: 'EIO' }],
    ['a disk fails after it has taken a shard', 'create', { kind: 'fail-after', errno: 'EIO' }],
    ['a disk can not be asked for a shard', 'stat', { kind: 'fail', errno: 'EIO' }],
    ['what is read back can not be read', 'read', { kind: 'fail', errno: 'EIO' }],
    ['what is read back is something else', 'read', { kind: 'damage', damage: (bytes) => Buffer.alloc(bytes.length) }],
  ])('are all made whole where once %s', async (_, operation, effect) => {
    const { store, objects, lost } = await hurtStore();
    const { key, file } = await victim(store);
    const fault: PlannedFault = { operation, path: file, effect };
    const first = await faultyContext(store, [fault]);
    const mended = await mendAll(store, first.context);
    first.expectAllFired();
    expect(mended.alone).toEqual([key]);
    expect(mended.rebuilt).toBe(lost - 1);
    expect(await store.heal()).toMatchObject({ whole: 24, degraded: 0, failed: [] });
    await expectWhole(store);
    await expectAll(store, objects);
  });

  test('are made whole but for the one whose shard a disk does not take; heal tells why', async () => {
    const { store, lost } = await hurtStore();
    const { key, file } = await victim(store);
    const fault: PlannedFault = {
      operation: 'create',
      path: file,
      times: Infinity,
      effect: { kind: 'fail', errno: 'EIO' },
    };
    const { context, expectAllFired } = await faultyContext(store, [fault]);
    const degraded: string[] = [];
    const report = await heal(context, {
      onObject: (health) => {
        if (health.state !== 'whole') degraded.push(health.key);
      },
    });
    expectAllFired();
    expect(report).toMatchObject({ whole: 23, degraded: 1, rebuilt: lost - 1 });
    expect(degraded).toEqual([key]);
    expect(report.failed).toHaveLength(1);
    expect(report.failed[0]).toContain(file);
  });

  test('whose disk gives back something else than what was written do not count as rebuilt', async () => {
    const { store, lost } = await hurtStore();
    const { file } = await victim(store);
    const damage = (bytes: Buffer): Buffer => Buffer.alloc(bytes.length);
    const fault: PlannedFault = { operation: 'read', path: file, times: Infinity, effect: { kind: 'damage', damage } };
    const { context } = await faultyContext(store, [fault]);
    const report = await heal(context, {});
    expect(report).toMatchObject({ whole: 23, degraded: 1, rebuilt: lost - 1 });
    expect(report.failed.some((line) => line.includes('does not give back what was written'))).toBe(true);
    expect(await store.heal()).toMatchObject({ whole: 24, failed: [] });
    await expectWhole(store);
  });

  test('are read and written at the rate that is asked for', async () => {
    const { store } = await hurtStore();
    const shards = (await metasOf(store)).flatMap(shardsIn);
    const bytesOf = (some: typeof shards): number => some.reduce((sum, { size }) => sum + size, 0);
    let now = 0;
    const clock = { now: () => now, sleep: (milliseconds: number) => Promise.resolve((now += milliseconds)) };
    await mendAll(store, await contextOf(store), new Throttle(1000, clock));
    expect(Math.round(now)).toBe(bytesOf(shards) + 2 * bytesOf(shards.filter(isOnDisk2)));
  });

  test('are whole or as they were where heal is interrupted', async () => {
    const { store, objects } = await hurtStore(60);
    const stop = new AbortController();
    const stopped = store.heal({
      signal: stop.signal,
      onTotal: () =>
        setImmediate(() => {
          stop.abort();
        }),
    });
    expect((await failure(stopped)).code).toBe('ABORTED');
    await expectAll(store, objects);
    expect(await store.heal()).toMatchObject({ whole: 60, failed: [] });
    await expectWhole(store);
  });

  test('may be put, overwritten and deleted meanwhile', async () => {
    const { store, objects } = await hurtStore(120);
    const other = await ObjectStore.open(store.root);
    const keys = [...objects.keys()];
    const write = async (): Promise<void> => {
      for (let round = 0; round < 3; round++) {
        const items = keys.slice(0, 40).map((key) => ({ bucket: 'bucket', key, source: randomBytes(20 + round) }));
        for await (const outcome of other.putMany(items)) {
          if ('error' in outcome) throw outcome.error;
          objects.set(outcome.item.key, outcome.item.source);
        }
        for (const key of keys.slice(40 + round * 4, 44 + round * 4)) {
          await other.delete('bucket', key);
          objects.delete(key);
        }
      }
    };
    const [report] = await Promise.all([store.heal(), write()]);
    expect(report).toMatchObject({ lost: 0, failed: [] });
    expect(await store.heal()).toMatchObject({ whole: objects.size, degraded: 0, lost: 0, failed: [] });
    await expectAll(store, objects);
    await expectWhole(store);
    expect(await store.gc()).toEqual(NOTHING_TO_DO);
  });
});
