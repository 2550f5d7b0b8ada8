import { afterEach, describe, expect, it, vi } from 'vitest';
import { StripeReader } from '../../src/chunks/stripe-reader.ts';
import type { Disk } from '../../src/disks/disk.ts';
import type { PlannedFault } from '../support/faulty-disk.ts';
import type { StoreError } from '../../src/errors.ts';
import type { ChunkEntry } from '../../src/metadata/meta.ts';
import type { ShardEntry } from '../../src/metadata/stripes.ts';
import { deferred } from '../disks/deferred.ts';
import { patient } from '../disks/patient.ts';
import { CountingPool } from '../memory/counting-pool.ts';
import { SampleObject, type Loss } from './sample-object.ts';

/** Reads in memory are over before any timer fires: only what hangs is late. */
const SOON = 1;

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A reader whose disk reads hang on the named disks until `release`. */
async function prepare(
  object: SampleObject,
  hanging: readonly string[],
  lost = new Map<ShardEntry, Loss>(),
  late: number | undefined = SOON,
) {
  const gate = deferred();
  const fault: PlannedFault = { operation: 'read', times: Infinity, effect: { kind: 'hang', until: gate.promise } };
  const { all, online, inner } = await object.disks(lost, Object.fromEntries(hanging.map((disk) => [disk, [fault]])));
  const pool = new CountingPool();
  const rebuilt: [ChunkEntry, StoreError][] = [];
  const reader = new StripeReader(
    object.meta,
    { online: online.map((disk) => patient(disk, { late })), offline: [] },
    { buffers: pool, onRebuilt: (...told) => rebuilt.push(told) },
  );
  return {
    pool,
    rebuilt,
    inner,
    all,
    release: gate.resolve,
    read: (stripe = 0, wanted = object.stripe(stripe).chunks): Promise<Buffer> =>
      reader.read(object.stripe(stripe), wanted, (chunks) => Buffer.concat(chunks)),
    expectHung: (...names: string[]) => {
      for (const disk of all) if (names.includes(disk.name)) disk.expectAllFired();
    },
  };
}

const diskOf = (shard: ShardEntry | undefined): string => shard?.disk ?? expect.fail('there is no such shard');

afterEach(() => {
  vi.useRealTimers();
});

describe('a disk that hangs', () => {
  it.each([
    ['1+1', [500]],
    ['2+1', [500, 300]],
    ['2+2', [500, 300]],
    ['4+2', [500, 500, 500, 300]],
  ])(
    'with %s does not keep a reader waiting: its chunk is computed, and said to be slow; whichever chunk it is',
    async (redundancy, sizes) => {
      const object = new SampleObject(redundancy, sizes);
      for (const chunk of object.stripe(0).chunks) {
        const test = await prepare(object, [chunk.disk]);
        expect((await test.read()).equals(object.bytes)).toBe(true);
        expect(test.rebuilt.map(([told]) => told)).toEqual([chunk]);
        expect(test.rebuilt[0]?.[1]).toMatchObject({
          code: 'CHUNK_UNAVAILABLE',
          message: expect.stringContaining('is slow to come') as string,
          details: { disk: chunk.disk, chunk: chunk.order, fault: 'slow' },
        });
        test.expectHung(chunk.disk);
        // The read that hangs keeps its buffer, and nothing else does.
        expect(test.pool.lent).toBe(1);
        test.release();
        await settle();
        expect(test.pool.lent).toBe(0);
      }
    },
  );

  it('keeps nobody waiting where nothing of it is wanted', async () => {
    const object = new SampleObject('2+1', [500, 300]);
    const { chunks } = object.stripe(0);
    const test = await prepare(object, [diskOf(chunks[1])], new Map(), 1_000_000);
    expect((await test.read(0, chunks.slice(0, 1))).equals(object.bytesOf(chunks.slice(0, 1)))).toBe(true);
    expect(test.rebuilt).toEqual([]);
    expect(test.pool.lent).toBe(0);
  });

  it('does not stop a stripe of which another chunk is lost, as long as there is parity for both', async () => {
    const object = new SampleObject('4+2', [500, 500, 500, 300]);
    const { chunks } = object.stripe(0);
    const [lost, slow] = chunks;
    if (lost === undefined) throw new Error('no such chunk');
    const test = await prepare(object, [diskOf(slow)], new Map([[lost, 'corrupt']]));
    expect((await test.read()).equals(object.bytes)).toBe(true);
    expect(test.rebuilt.map(([chunk, { code }]) => [chunk.order, code])).toEqual([
      [0, 'CHUNK_DAMAGED'],
      [1, 'CHUNK_UNAVAILABLE'],
    ]);
  });

  it('does not stop a stripe when it is one that parity is read from, as long as there is another row', async () => {
    const object = new SampleObject('2+2', [500, 300]);
    const { chunks, parity } = object.stripe(0);
    const [lost] = chunks;
    if (lost === undefined) throw new Error('no such chunk');
    const test = await prepare(object, [diskOf(parity[0])], new Map([[lost, 'missing']]));
    expect((await test.read()).equals(object.bytes)).toBe(true);
    test.expectHung(diskOf(parity[0]));
    test.release();
    await settle();
    expect(test.pool.lent).toBe(0);
  });

  it('does not stop a stripe together with another, of chunks alone', async () => {
    const object = new SampleObject('4+2', [500, 500, 500, 300]);
    const { chunks } = object.stripe(0);
    const test = await prepare(object, [diskOf(chunks[0]), diskOf(chunks[2])]);
    expect((await test.read()).equals(object.bytes)).toBe(true);
    expect(test.rebuilt.map(([{ order }]) => order)).toEqual([0, 2]);
  });

  it('does not stop a stripe together with another that is only found to hang when parity is read from it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const object = new SampleObject('2+2', [500, 300]);
    const { chunks, parity } = object.stripe(0);
    const test = await prepare(object, [diskOf(chunks[0]), diskOf(parity[0])]);
    let bytes: Buffer | undefined;
    const reading = test.read().then((read) => (bytes = read));
    await vi.advanceTimersByTimeAsync(1_000_000);
    const inTime = bytes;
    test.release();
    await reading;
    expect(inTime?.equals(object.bytes)).toBe(true);
    expect(test.rebuilt.map(([{ order }]) => order)).toEqual([0]);
    await settle();
    expect(test.pool.lent).toBe(0);
  });

  it('is waited for where there is nothing else to compute from', async () => {
    const object = new SampleObject('2+1', [500, 300]);
    const { chunks } = object.stripe(0);
    const [lost, slow] = chunks;
    if (lost === undefined) throw new Error('no such chunk');
    const test = await prepare(object, [diskOf(slow)], new Map([[lost, 'missing']]));
    const reading = test.read();
    await vi.waitUntil(() => test.pool.lent === 2);
    test.release();
    expect((await reading).equals(object.bytes)).toBe(true);
    expect(test.rebuilt.map(([{ order }]) => order)).toEqual([0]);
    expect(test.pool.lent).toBe(0);
  });

  it('is waited for where there is no parity', async () => {
    const object = new SampleObject('1+0', [500]);
    const test = await prepare(object, ['disk1']);
    const reading = test.read();
    await settle();
    test.release();
    expect((await reading).equals(object.bytes)).toBe(true);
    expect(test.rebuilt).toEqual([]);
  });

  it('gives its chunk itself where it comes back before enough parity has come', async () => {
    const object = new SampleObject('1+1', [500]);
    const { chunks, parity } = object.stripe(0);
    const parityGate = deferred();
    const fault: PlannedFault = { operation: 'read', effect: { kind: 'hang', until: parityGate.promise } };
    const chunkGate = deferred();
    const { online } = await object.disks(new Map(), {
      [diskOf(chunks[0])]: [{ ...fault, effect: { kind: 'hang', until: chunkGate.promise } }],
      [diskOf(parity[0])]: [fault],
    });
    const pool = new CountingPool();
    const onRebuilt = vi.fn();
    const reader = new StripeReader(
      object.meta,
      { online: online.map((disk) => patient(disk, { late: SOON })), offline: [] },
      { buffers: pool, onRebuilt },
    );
    const reading = reader.read(object.stripe(0), chunks, (bytes) => Buffer.concat(bytes));
    // Both are on their way.
    await vi.waitUntil(() => pool.lent === 2);
    chunkGate.resolve();
    expect((await reading).equals(object.bytes)).toBe(true);
    expect(onRebuilt).not.toHaveBeenCalled();
    expect(pool.lent).toBe(1);
    parityGate.resolve();
    await settle();
    expect(pool.lent).toBe(0);
  });
});

describe('a disk that has kept a reader waiting', () => {
  it('is waited for once: the chunks that later stripes have on it are computed at once', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const object = new SampleObject('2+1', new Array<number>(12).fill(100));
    const slow = diskOf(object.stripe(0).chunks[0]);
    const test = await prepare(object, [slow], new Map(), 500);
    let first: Buffer | undefined;
    const reading = test.read(0).then((bytes) => (first = bytes));
    await vi.advanceTimersByTimeAsync(499);
    expect(first).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    const all = [await reading];
    // The clock stands still from here on.
    for (let stripe = 1; stripe < object.stripes.length; stripe++) all.push(await test.read(stripe));
    expect(Buffer.concat(all).equals(object.bytes)).toBe(true);
    const onSlow = object.meta.chunks.filter(({ disk }) => disk === slow);
    expect(onSlow.length).toBeGreaterThan(2);
    expect(test.rebuilt.map(([chunk]) => chunk)).toEqual(onSlow);
    test.release();
    await settle();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is still the last resort where other shards are lost', async () => {
    const object = new SampleObject('2+1', [100, 100, 100, 100]);
    const slow = diskOf(object.stripe(0).chunks[0]);
    const gate = deferred();
    const [own] = object.stripe(1).chunks.filter(({ disk }) => disk !== slow);
    const lost = new Map<ShardEntry, Loss>(own === undefined ? [] : [[own, 'missing']]);
    const { online } = await object.disks(lost, {
      [slow]: [{ operation: 'read', nth: 1, effect: { kind: 'hang', until: gate.promise } }],
    });
    const pool = new CountingPool();
    const view = { online: online.map((disk) => patient(disk, { late: SOON })), offline: [] };
    const reader = new StripeReader(object.meta, view, { buffers: pool });
    const read = (stripe: number): Promise<Buffer> =>
      reader.read(object.stripe(stripe), object.stripe(stripe).chunks, (chunks) => Buffer.concat(chunks));
    const bytes = [await read(0), await read(1)];
    expect(Buffer.concat(bytes).equals(object.bytes)).toBe(true);
    gate.resolve();
    await settle();
    expect(pool.lent).toBe(0);
  });

  it('holds up no more reads than its gate lets in, however many stripes are read, and those that waited never happen', async () => {
    const object = new SampleObject('1+1', new Array<number>(20).fill(100));
    const slow = 'disk1';
    const test = await prepare(object, [slow]);
    const spy = vi.spyOn(test.inner[0] ?? expect.fail('no disk'), 'read');
    const taken = vi.spyOn(test.pool, 'take');
    const all = await Promise.all(object.stripes.map(({ index }) => test.read(index)));
    expect(Buffer.concat(all).equals(object.bytes)).toBe(true);
    expect(test.rebuilt.map(([{ disk }]) => disk)).toEqual(new Array<string>(10).fill(slow));
    // Two reads hang, each with its buffer; the others wait at the gate, without.
    expect(test.pool.lent).toBe(2);
    const before = taken.mock.calls.length;
    test.release();
    await settle();
    expect(spy).toHaveBeenCalledTimes(2);
    expect(taken.mock.calls.length).toBe(before);
    expect(test.pool.lent).toBe(0);
  });
});

describe('a read that comes late', () => {
  it('gives its buffer back when its stripe is long over, and harms nobody who has it then', async () => {
    const object = new SampleObject('2+1', [500, 300]);
    const test = await prepare(object, [diskOf(object.stripe(0).chunks[0])]);
    await test.read();
    expect(test.pool.lent).toBe(1);
    test.release();
    await settle();
    expect(test.pool.lent).toBe(0);
    expect(test.rebuilt).toHaveLength(1);
  });

  it('gives its buffer back when the stripe has failed meanwhile', async () => {
    const object = new SampleObject('2+1', [500, 300]);
    const { chunks, parity } = object.stripe(0);
    const [lost, slow] = chunks;
    const [row] = parity;
    if (lost === undefined || row === undefined) throw new Error('no such shards');
    const test = await prepare(
      object,
      [diskOf(slow)],
      new Map<ShardEntry, Loss>([
        [lost, 'missing'],
        [row, 'offline'],
      ]),
    );
    await expect(test.read()).rejects.toMatchObject({ code: 'CHUNK_UNAVAILABLE' });
    expect(test.pool.lent).toBe(1);
    test.release();
    await settle();
    expect(test.pool.lent).toBe(0);
  });

  it.each([
    ['an error of the disk', { kind: 'unreadable' as const }],
    ['a mistake of the program', { kind: 'mistake' as const }],
  ])("gives its buffer back where it ends in %s, which is nobody's concern any more", async (_, { kind }) => {
    const object = new SampleObject('2+1', [500, 300]);
    const [slow] = object.stripe(0).chunks;
    if (slow === undefined) throw new Error('no such chunk');
    const test = await prepare(
      object,
      [slow.disk],
      kind === 'unreadable' ? new Map([[slow, 'missing']]) : new Map<ShardEntry, Loss>(),
    );
    if (kind === 'mistake') {
      const disk: Disk | undefined = test.inner.find(({ name }) => name === slow.disk);
      if (disk !== undefined) disk.read = () => Promise.reject(new TypeError('a mistake'));
    }
    await test.read();
    // An unhandled rejection would fail the run.
    test.release();
    await settle();
    expect(test.pool.lent).toBe(0);
  });
});
