import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { FanOutFolders } from '../../src/chunks/fan-out-folders.ts';
import { ChunkWriter, type ChunkWriterOptions } from '../../src/chunks/chunk-writer.ts';
import { openSource, type PutSource } from '../../src/chunks/source.ts';
import { startOf } from '../../src/chunks/placement.ts';
import { leastShards, type WrittenChunks } from '../../src/chunks/written-chunks.ts';
import type { Disk, DiskRoom } from '../../src/disks/disk.ts';
import { FaultyDisk, type PlannedFault } from '../support/faulty-disk.ts';
import { coefficient } from '../../src/erasure/matrix.ts';
import * as reference from '../../src/erasure/reference.ts';
import { CHUNK_SIZE, type ChunkEntry } from '../../src/metadata/meta.ts';
import { chunkFile, fanOutOf, parityFile } from '../../src/metadata/shard-file.ts';
import { parseRedundancy } from '../../src/metadata/redundancy.ts';
import { shardsOf, stripesOf, type ShardEntry, type Stripe } from '../../src/metadata/stripes.ts';
import { MemoryDisk } from '../contract/memory-disk.ts';
import { deferred } from '../disks/deferred.ts';
import { makeDisks } from '../disks/make-disks.ts';
import { fc } from '../metadata/property.ts';
import { VERSION } from '../metadata/sample-meta.ts';
import { seededBytes } from '../support/bytes.ts';
import { Budget } from '../../src/concurrency/budget.ts';
import { CountingPool } from '../memory/counting-pool.ts';

const FOLDER = fanOutOf(VERSION);
const START = startOf(VERSION);
/** So many bytes are there to be written; tests take as many as they need. */
const BYTES = seededBytes(13 * CHUNK_SIZE, 'object');

/** A disk with so much room; what is written does not count. */
class RoomyDisk extends MemoryDisk {
  readonly #room: DiskRoom | undefined;

  constructor(name: string, room?: DiskRoom) {
    super(name);
    this.#room = room;
  }

  override room(): Promise<undefined> {
    return Promise.resolve(this.#room) as Promise<undefined>;
  }
}

interface Setting {
  redundancy: string;
  /** Disks that belong to the store. */
  disks: number;
  /** Numbers, from 1, of those of them that are not there. */
  away?: number[];
  /** By number of the disk. */
  faults?: Record<number, PlannedFault[]>;
  rooms?: Record<number, DiskRoom>;
  inner?: Disk[];
  options?: Partial<ChunkWriterOptions>;
}

function prepare({
  redundancy,
  disks: count,
  away = [],
  faults = {},
  rooms = {},
  inner: given,
  options = {},
}: Setting) {
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  const inner = given ?? numbers.map((number): Disk => new RoomyDisk(`disk${number}`, rooms[number]));
  const disks = inner.map((disk, index) => new FaultyDisk(disk, faults[index + 1] ?? []));
  const pool = new CountingPool();
  const there = disks.filter((_, index) => !away.includes(index + 1));
  const writer = new ChunkWriter(there, {
    id: VERSION,
    redundancy: parseRedundancy(redundancy),
    belong: disks.map(({ name }) => name),
    durable: false,
    concurrency: 8,
    pool,
    budget: new Budget(Infinity),
    folders: new FanOutFolders(),
    ...options,
  });
  const fileOf = async ({ disk, file }: ShardEntry): Promise<Buffer | undefined> =>
    inner.find(({ name }) => name === disk)?.read(file);
  return {
    pool,
    writer,
    inner,
    fileOf,
    write: async (source: PutSource): Promise<WrittenChunks> => writer.write(await openSource(source, options.signal)),
    /** The files of the version on all disks, as `disk1/<file>`. */
    left: async (): Promise<string[]> => {
      const lists = inner.map(async (disk) =>
        (await disk.list(FOLDER)).map(({ name }) => `${disk.name}/${FOLDER}/${name}`),
      );
      return (await Promise.all(lists)).flat().sort();
    },
    expectFired: () => {
      for (const disk of disks) disk.expectAllFired();
    },
  };
}

type Test = ReturnType<typeof prepare>;

const always = (operation: PlannedFault['operation'], errno: string, nth = 1): PlannedFault => ({
  operation,
  nth,
  times: Infinity,
  effect: { kind: 'fail', errno },
});
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** A chunk of the object. */
const chunkOf = (bytes: Buffer, { order }: ChunkEntry): Buffer =>
  bytes.subarray(order * CHUNK_SIZE, (order + 1) * CHUNK_SIZE);

/** Row `row` of a stripe, computed in plain TypeScript. */
function parityByHand(bytes: Buffer, stripe: Stripe, row: number): Buffer {
  const data = stripe.chunks.map((chunk) => chunkOf(bytes, chunk));
  const output = Buffer.alloc(Math.max(...data.map(({ length }) => length)));
  reference.combine([Uint8Array.from(data, (_, column) => coefficient(row, column))], data, [output]);
  return output;
}

/** Checks everything that `write` promises about what it has written. */
async function expectRight(test: Test, bytes: Buffer, redundancy: string, written: WrittenChunks): Promise<void> {
  const { data, parity } = parseRedundancy(redundancy);
  const count = Math.ceil(bytes.length / CHUNK_SIZE);
  expect(written.chunks.map(({ order, file, size, sha256: sum }) => ({ order, file, size, sum }))).toEqual(
    Array.from({ length: count }, (_, order) => {
      const chunk = bytes.subarray(order * CHUNK_SIZE, (order + 1) * CHUNK_SIZE);
      return { order, file: chunkFile(VERSION, order), size: chunk.length, sum: sha256(chunk) };
    }),
  );
  const stripes = stripesOf(written);
  if (parity > 0)
    expect(stripes.map(({ chunks }) => chunks.length)).toEqual(
      Array.from({ length: Math.ceil(count / data) }, (_, index) => Math.min(data, count - index * data)),
    );
  expect(written.parity).toEqual(stripes.flatMap((stripe) => stripe.parity));
  const unwritten = new Set(written.unwritten);
  expect(unwritten.size).toBe(written.unwritten.length);
  for (const shard of unwritten) expect([...written.chunks, ...written.parity]).toContain(shard);
  const files: string[] = [];
  for (const stripe of stripes) {
    const protects = stripe.chunks.map(({ order }) => order);
    expect(stripe.parity.map(({ row }) => row)).toEqual(Array.from({ length: parity }, (_, row) => row));
    for (const entry of stripe.parity) {
      const expected = parityByHand(bytes, stripe, entry.row);
      expect(entry).toEqual({
        protects,
        row: entry.row,
        disk: entry.disk,
        file: parityFile(VERSION, protects[0] ?? 0, entry.row),
        size: expected.length,
        sha256: sha256(expected),
      });
    }
    const shards = shardsOf(stripe);
    const disks = shards.map(({ disk }) => disk);
    expect(new Set(disks).size, `the disks of stripe ${stripe.index}: ${disks.join(' ')}`).toBe(disks.length);
    for (const disk of disks) expect(test.inner.map(({ name }) => name)).toContain(disk);
    const there = shards.filter((shard) => !unwritten.has(shard));
    expect(there.length).toBeGreaterThanOrEqual(leastShards(stripe.chunks.length, parity));
    for (const shard of there) {
      files.push(`${shard.disk}/${shard.file}`);
      const content = await test.fileOf(shard);
      expect(content?.length).toBe(shard.size);
      expect(sha256(content ?? Buffer.alloc(0))).toBe(shard.sha256);
    }
  }
  // And nothing else.
  expect(await test.left()).toEqual(files.sort());
  expect(test.pool.lent).toBe(0);
}

const MIB = CHUNK_SIZE;

describe('writing chunks and their parity', () => {
  const sizes = [1, MIB - 1, MIB, MIB + 1, 4 * MIB, 6 * MIB + 70_001];
  const settings: [string, number][] = [
    ['1+1', 2],
    ['1+2', 4],
    ['2+1', 3],
    ['2+2', 4],
    ['3+2', 5],
    ['4+2', 6],
    ['4+2', 9],
    ['5+3', 8],
    ['10+4', 14],
  ];
  for (const [redundancy, disks] of settings) {
    it.each(sizes)(
      `with ${redundancy} on ${disks} disks makes of %i bytes the stripes that a plain computation makes`,
      async (size) => {
        const bytes = BYTES.subarray(0, size);
        for (const source of [bytes, Readable.from([bytes], { objectMode: false })]) {
          const test = prepare({ redundancy, disks });
          const written = await test.write(source);
          await expectRight(test, bytes, redundancy, written);
          expect(written.unwritten).toEqual([]);
          expect(test.writer.failures.size).toBe(0);
        }
      },
    );
  }

  it('writes it to real disks as well', async () => {
    const inner = makeDisks(6).map(({ disk }) => disk);
    const test = prepare({ redundancy: '4+2', disks: 6, inner, options: { durable: true } });
    await expectRight(test, BYTES, '4+2', await test.write(BYTES));
  });

  it('makes nothing of an empty object', async () => {
    const test = prepare({ redundancy: '4+2', disks: 6 });
    expect(await test.write(Buffer.alloc(0))).toEqual({ chunks: [], parity: [], unwritten: [] });
    expect(await test.left()).toEqual([]);
  });

  it('costs a short last stripe only what it needs: an object of one chunk with 4+2 is three files, all the same', async () => {
    const test = prepare({ redundancy: '4+2', disks: 6 });
    const { chunks, parity } = await test.write(BYTES.subarray(0, 1000));
    expect(await test.left()).toHaveLength(3);
    expect(parity.map(({ size, sha256: sum }) => [size, sum])).toEqual([0, 1].map(() => [1000, chunks[0]?.sha256]));
    const two = prepare({ redundancy: '4+2', disks: 6 });
    await two.write(BYTES.subarray(0, MIB + 1));
    expect(await two.left()).toHaveLength(4);
  });

  it('keeps a chunk for a stripe of its own where there is no parity, whatever k says', async () => {
    const test = prepare({ redundancy: '4+0', disks: 4 });
    const written = await test.write(BYTES.subarray(0, 6 * MIB));
    await expectRight(test, BYTES.subarray(0, 6 * MIB), '4+0', written);
    expect(written.parity).toEqual([]);
    expect(written.chunks.map(({ disk }) => disk)).toEqual(
      written.chunks.map(({ order }) => `disk${((START + order) % 4) + 1}`),
    );
  });

  it('puts shard j of stripe s on disk (start + s + j) mod n, where all have about as much room', async () => {
    const test = prepare({
      redundancy: '2+1',
      disks: 5,
      rooms: {
        1: { total: 1e12, free: 1e12 },
        2: { total: 1e12, free: 0.95e12 },
        3: { total: 1e12, free: 0.9e12 },
        4: { total: 1e12, free: 1e12 },
        5: { total: 1e12, free: 0.99e12 },
      },
    });
    const written = await test.write(BYTES);
    for (const stripe of stripesOf(written)) {
      expect(shardsOf(stripe).map(({ disk }) => disk)).toEqual(
        [0, 1, 2].slice(0, stripe.chunks.length + 1).map((shard) => `disk${((START + stripe.index + shard) % 5) + 1}`),
      );
    }
  });

  it('writes no two shards of a stripe to a disk that has most of the room', async () => {
    const test = prepare({
      redundancy: '1+1',
      disks: 3,
      rooms: { 1: { total: 1e12, free: 3e10 }, 2: { total: 1e12, free: 9e11 }, 3: { total: 1e12, free: 3e10 } },
    });
    await expectRight(test, BYTES, '1+1', await test.write(BYTES));
  });

  it('reports the bytes of chunks, and not those of parity', async () => {
    const reported: number[] = [];
    const test = prepare({ redundancy: '4+2', disks: 6, options: { onBytes: (bytes) => reported.push(bytes) } });
    await test.write(BYTES.subarray(0, 6 * MIB + 5));
    expect(reported.sort((a, b) => a - b)).toEqual([5, ...new Array<number>(6).fill(MIB)]);
  });

  it.each([
    ['1+1', 1, 1],
    ['4+2', 1, 1],
    ['4+2', 8, 3],
    ['4+2', 2, 2],
    ['4+2', 18, 6],
    ['2+2', 9, 5],
    ['10+4', 8, 2],
  ])(
    'with %s and %i chunks in flight has %i stripes in memory at most, and gives every buffer back',
    async (redundancy, concurrency, stripes) => {
      const { data, parity } = parseRedundancy(redundancy);
      for (const source of [BYTES, Readable.from([BYTES], { objectMode: false })]) {
        const test = prepare({ redundancy, disks: 14, options: { concurrency } });
        await test.write(source);
        expect(test.pool.most).toBeLessThanOrEqual(stripes * (data + parity));
        expect(test.pool.most).toBeGreaterThanOrEqual(data);
        expect(test.pool.lent).toBe(0);
      }
    },
  );

  it('makes every file durable, and then the names on each disk that has one', async () => {
    const test = prepare({ redundancy: '2+1', disks: 4, options: { durable: true } });
    const done: string[] = [];
    for (const disk of test.inner) {
      const [create, syncFolder] = [disk.create.bind(disk), disk.syncFolder.bind(disk)];
      disk.create = async (path, bytes, options) => {
        expect(options).toEqual({ durable: true });
        await create(path, bytes, options);
        done.push(`${disk.name} shard`);
      };
      disk.syncFolder = async (path) => {
        await syncFolder(path);
        done.push(`${disk.name} ${path}`);
      };
    }
    const { chunks, parity } = await test.write(BYTES.subarray(0, 2 * MIB));
    const used = [...chunks, ...parity].map(({ disk }) => disk);
    expect(done.slice(0, 3).sort()).toEqual(used.map((disk) => `${disk} shard`).sort());
    for (const disk of used)
      expect(done.filter((call) => call.startsWith(disk))).toEqual([
        `${disk} shard`,
        `${disk} ${FOLDER}`,
        `${disk} chunks`,
      ]);
    expect(done).toHaveLength(9);
  });
});

describe('a stripe with fewer disks than shards', () => {
  it('writes the chunks and leaves parity unwritten, entered on disks that the stripe does not use', async () => {
    const test = prepare({ redundancy: '4+2', disks: 6, away: [2, 5] });
    const written = await test.write(BYTES);
    await expectRight(test, BYTES, '4+2', written);
    // The last stripe has one chunk, for which there are disks enough.
    expect(written.unwritten).toHaveLength(6);
    for (const shard of written.unwritten) {
      expect(shard.file).toMatch(/parity/);
      expect(['disk2', 'disk5']).toContain(shard.disk);
    }
    expect(test.writer.failures.size).toBe(0);
  });

  it('spreads what is unwritten over the disks where it belongs', async () => {
    const test = prepare({ redundancy: '1+1', disks: 8, away: [1, 2, 3, 4, 5, 6] });
    const away = prepare({ redundancy: '2+2', disks: 8, away: [4, 5, 6, 7, 8] });
    await expectRight(test, BYTES, '1+1', await test.write(BYTES));
    const written = await away.write(BYTES);
    await expectRight(away, BYTES, '2+2', written);
    expect(new Set(written.unwritten.map(({ disk }) => disk)).size).toBeGreaterThan(2);
  });

  it.each([
    ['a disk is full up to the reserve', { rooms: { 3: { total: 1e9, free: 1e7 } } }],
    ['a disk has no files left to make', { rooms: { 3: { total: 1e9, free: 0 } } }],
    ['a disk cannot tell its room', { faults: { 3: [always('room', 'EIO')] } }],
  ] satisfies [string, Partial<Setting>][])(
    'asks nothing of a disk without room, and does not call that a failure: %s',
    async (_, setting) => {
      const test = prepare({ redundancy: '2+1', disks: 3, ...setting });
      const create = vi.spyOn(test.inner[2] ?? expect.fail('no disk'), 'create');
      const written = await test.write(BYTES.subarray(0, 4 * MIB));
      await expectRight(test, BYTES.subarray(0, 4 * MIB), '2+1', written);
      expect(create).not.toHaveBeenCalled();
      // Stripes are written side by side, so either may be the first.
      expect(written.unwritten.map(({ disk, file }) => `${disk} ${file}`).sort()).toEqual([
        `disk3 ${parityFile(VERSION, 0, 0)}`,
        `disk3 ${parityFile(VERSION, 2, 0)}`,
      ]);
      expect(test.writer.failures.size).toBe(0);
    },
  );

  it('uses a disk as long as its room lasts, and then the others', async () => {
    // Room for three chunks besides the reserve.
    const test = prepare({
      redundancy: '1+1',
      disks: 3,
      rooms: {
        1: { total: 100 * MIB, free: 5 * MIB },
        2: { total: 100 * MIB, free: 90 * MIB },
        3: { total: 100 * MIB, free: 90 * MIB },
      },
    });
    const written = await test.write(BYTES);
    await expectRight(test, BYTES, '1+1', written);
    expect(written.unwritten).toEqual([]);
    expect([...written.chunks, ...written.parity].filter(({ disk }) => disk === 'disk1').length).toBeLessThanOrEqual(3);
  });

  it('puts a shard that a disk refuses on another one, and names the disk', async () => {
    const test = prepare({ redundancy: '2+1', disks: 4, faults: { 2: [always('create', 'EIO', 2)] } });
    const written = await test.write(BYTES);
    await expectRight(test, BYTES, '2+1', written);
    expect(written.unwritten).toEqual([]);
    expect([...test.writer.failures.keys()].map(({ name }) => name)).toEqual(['disk2']);
    test.expectFired();
  });

  it('enters what a refusing disk should have on that disk, where all others have a shard of the stripe', async () => {
    const test = prepare({ redundancy: '2+1', disks: 3, faults: { 2: [always('create', 'ENOSPC')] } });
    const bytes = BYTES.subarray(0, 12 * MIB);
    const written = await test.write(bytes);
    await expectRight(test, bytes, '2+1', written);
    expect(new Set(written.unwritten.map(({ disk }) => disk))).toEqual(new Set(['disk2']));
    expect(written.unwritten).toHaveLength(6);
    test.expectFired();
  });

  it('makes do with k disks', async () => {
    for (const away of [
      [1, 2],
      [3, 6],
      [5, 6],
    ]) {
      const test = prepare({ redundancy: '4+2', disks: 6, away });
      await expectRight(test, BYTES, '4+2', await test.write(BYTES));
    }
  });
});

describe('a stripe with too few disks', () => {
  it.each([
    ['1+1', 2, [2], 'one of two copies'],
    ['1+2', 3, [1, 3], 'one of three copies'],
    ['2+1', 3, [1, 3], 'one shard of two that are needed'],
    ['2+2', 4, [1, 3], 'two shards, of which each loss would be one too many'],
    ['4+2', 6, [1, 3, 5], 'three shards of four'],
    ['1+0', 3, [1, 2, 3], 'nothing'],
  ])(
    'with %s on %i disks, %j away, ends it, as %j would be all, and discard leaves nothing',
    async (redundancy, disks, away) => {
      const test = prepare({ redundancy, disks, away });
      await expect(test.write(BYTES)).rejects.toMatchObject({ code: 'TOO_FEW_DISKS_TO_WRITE' });
      await test.writer.discard();
      expect(await test.left()).toEqual([]);
      expect(test.pool.lent).toBe(0);
    },
  );

  it('ends it with the errors of the disks where they refused, the worst of them', async () => {
    const test = prepare({
      redundancy: '4+2',
      disks: 6,
      faults: { 1: [always('create', 'ENOSPC', 2)], 4: [always('create', 'EIO', 2)], 5: [always('create', 'ENOSPC')] },
    });
    await expect(test.write(BYTES)).rejects.toMatchObject({
      code: 'DISK_IO',
      details: { disk: 'disk4', errno: 'EIO' },
    });
    expect(test.pool.lent).toBe(0);
    await test.writer.discard();
    expect(await test.left()).toEqual([]);
    test.expectFired();
  });

  it('ends it with DISK_FULL where disks have no room, and names them', async () => {
    const full = { total: 1e9, free: 1e7 };
    const test = prepare({ redundancy: '4+2', disks: 6, rooms: { 2: full, 3: full, 6: full } });
    await expect(test.write(BYTES)).rejects.toMatchObject({
      code: 'DISK_FULL',
      details: { disk: 'disk2', disks: ['disk2', 'disk3', 'disk6'] },
    });
    await test.writer.discard();
    expect(await test.left()).toEqual([]);
  });

  it('ends it with DISK_FULL when the disks fill up on the way, and discard leaves nothing', async () => {
    const rooms = Object.fromEntries([1, 2, 3].map((number) => [number, { total: 100 * MIB, free: 5 * MIB }]));
    const test = prepare({ redundancy: '2+1', disks: 3, rooms });
    await expect(test.write(BYTES)).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect(await test.left()).not.toEqual([]);
    await test.writer.discard();
    expect(await test.left()).toEqual([]);
    expect(test.pool.lent).toBe(0);
  });
});

describe('a write with parity that is broken off', () => {
  it('gives every buffer back when a disk makes a mistake of the program', async () => {
    const test = prepare({ redundancy: '2+1', disks: 3 });
    for (const disk of test.inner) disk.create = () => Promise.reject(new TypeError('a mistake'));
    await expect(test.write(BYTES)).rejects.toThrow(TypeError);
    expect(test.pool.lent).toBe(0);
  });

  it('fails with the error of its source in the middle of a stripe, and discard leaves nothing', async () => {
    const test = prepare({ redundancy: '4+2', disks: 6 });
    const stream = Readable.from(
      (function* () {
        yield BYTES.subarray(0, 6 * MIB + 10);
        throw new Error('the network is gone');
      })(),
    );
    await expect(test.write(stream)).rejects.toMatchObject({ code: 'BAD_SOURCE' });
    expect(test.pool.lent).toBe(0);
    await test.writer.discard();
    expect(await test.left()).toEqual([]);
  });

  it('fails with ABORTED, with every buffer back once the writes in flight have landed', async () => {
    const gate = deferred();
    const controller = new AbortController();
    const slow: PlannedFault = { operation: 'create', path: /parity/, effect: { kind: 'hang', until: gate.promise } };
    const test = prepare({
      redundancy: '2+1',
      disks: 3,
      faults: { 1: [slow], 2: [slow], 3: [slow] },
      options: {
        signal: controller.signal,
        onBytes: () => {
          controller.abort();
        },
      },
    });
    let settled = false;
    const result = test
      .write(BYTES)
      .catch((error: unknown) => error)
      .finally(() => (settled = true));
    await vi.waitUntil(() => controller.signal.aborted);
    await new Promise((resolve) => setImmediate(resolve));
    expect(settled).toBe(false);
    expect(test.pool.lent).toBeGreaterThan(0);
    gate.resolve();
    expect(await result).toMatchObject({ code: 'ABORTED' });
    expect(test.pool.lent).toBe(0);
    await test.writer.discard();
    expect(await test.left()).toEqual([]);
  });

  it('removes what it wrote, parity included, also when it was whole', async () => {
    const test = prepare({ redundancy: '4+2', disks: 7, faults: { 3: [always('create', 'EIO', 2)] } });
    await test.write(BYTES);
    expect(await test.left()).not.toEqual([]);
    await test.writer.discard();
    expect(await test.left()).toEqual([]);
  });
});

describe('whatever disks fail, are full or away', () => {
  const fault = fc.record({
    operation: fc.constantFrom('create' as const, 'makeFolder' as const, 'room' as const),
    nth: fc.integer({ min: 1, max: 4 }),
    times: fc.constantFrom(1, Infinity),
    errno: fc.constantFrom('EIO', 'ENOSPC', 'EROFS'),
  });
  const disk = fc.oneof(
    { weight: 4, arbitrary: fc.constant({ kind: 'sound' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'away' as const }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('faulty' as const), fault }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('small' as const), chunks: fc.nat({ max: 6 }) }) },
  );
  const setting = fc.constantFrom('1+0', '1+1', '1+2', '2+1', '2+2', '3+2', '4+2').chain((redundancy) => {
    const { data, parity } = parseRedundancy(redundancy);
    return fc.record({
      redundancy: fc.constant(redundancy),
      disks: fc.array(disk, { minLength: data + parity, maxLength: data + parity + 2 }),
    });
  });

  it('either all is right and as safe as can be, or it fails and discard leaves nothing; no disk has two shards of a stripe', async () => {
    let [whole, degraded, failed] = [0, 0, 0];
    await fc.assert(
      fc.asyncProperty(
        setting,
        fc.integer({ min: 1, max: 7 * MIB }),
        fc.integer({ min: 1, max: 12 }),
        async ({ redundancy, disks }, size, concurrency) => {
          const numbered = disks.map((what, index) => ({ ...what, number: index + 1 }));
          const test = prepare({
            redundancy,
            disks: disks.length,
            away: numbered.flatMap(({ kind, number }) => (kind === 'away' ? [number] : [])),
            faults: Object.fromEntries(
              numbered.flatMap((what) => {
                if (what.kind !== 'faulty') return [];
                const { operation, nth, times, errno } = what.fault;
                return [[what.number, [{ operation, nth, times, effect: { kind: 'fail' as const, errno } }]]];
              }),
            ),
            rooms: Object.fromEntries(
              numbered.flatMap((what) =>
                what.kind === 'small' ? [[what.number, { total: 100 * MIB, free: (2 + what.chunks) * MIB }]] : [],
              ),
            ),
            options: { concurrency },
          });
          const bytes = BYTES.subarray(0, size);
          const { data, parity } = parseRedundancy(redundancy);
          const sound = numbered.filter(({ kind }) => kind === 'sound').length;
          let written: WrittenChunks;
          try {
            written = await test.write(bytes);
          } catch (error) {
            failed++;
            expect(error).toMatchObject({
              name: 'StoreError',
              code: expect.stringMatching(/^(DISK_|TOO_FEW_DISKS_TO_WRITE)/) as string,
            });
            expect(sound).toBeLessThan(leastShards(data, parity));
            expect(test.pool.lent).toBe(0);
            await test.writer.discard();
            expect(await test.left()).toEqual([]);
            return;
          }
          if (written.unwritten.length === 0) whole++;
          else degraded++;
          await expectRight(test, bytes, redundancy, written);
          // A sound disk has a shard of every stripe that lacks one.
          for (const stripe of stripesOf(written)) {
            const lacking = shardsOf(stripe).filter((shard) => written.unwritten.includes(shard));
            if (lacking.length === 0) continue;
            const has = shardsOf(stripe)
              .filter((shard) => !lacking.includes(shard))
              .map((shard) => shard.disk);
            for (const { kind, number } of numbered) if (kind === 'sound') expect(has).toContain(`disk${number}`);
          }
        },
      ),
      { numRuns: 100 },
    );
    // The settings are such that each outcome is met.
    expect(Math.min(whole, degraded, failed)).toBeGreaterThan(0);
  });
});
