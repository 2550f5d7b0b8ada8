import { createHash } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { FanOutFolders } from '../../src/chunks/fan-out-folders.ts';
import { ChunkWriter, type ChunkWriterOptions } from '../../src/chunks/chunk-writer.ts';
import { startOf } from '../../src/chunks/placement.ts';
import { openSource, type PutSource } from '../../src/chunks/source.ts';
import type { Disk } from '../../src/disks/disk.ts';
import { FaultyDisk, type FaultEffect, type PlannedFault } from '../support/faulty-disk.ts';
import { CHUNK_SIZE, type ChunkEntry } from '../../src/metadata/meta.ts';
import { chunkFile, fanOutOf } from '../../src/metadata/shard-file.ts';
import { deferred } from '../disks/deferred.ts';
import { makeDisks } from '../disks/make-disks.ts';
import { VERSION } from '../metadata/sample-meta.ts';
import { seededBytes } from '../support/bytes.ts';
import { Budget } from '../../src/concurrency/budget.ts';
import { CountingPool } from '../memory/counting-pool.ts';

const FOLDER = fanOutOf(VERSION);
/** Seven chunks, the last one of 1,000 bytes. */
const BYTES = seededBytes(6 * CHUNK_SIZE + 1000, 'object');

/** A writer without redundancy on three disks with their planned faults. */
function prepare(faults: PlannedFault[][] = [], changes: Partial<ChunkWriterOptions> = {}) {
  const inner: Disk[] = makeDisks(3).map(({ disk }) => disk);
  const disks = inner.map((disk, index) => new FaultyDisk(disk, faults[index] ?? []));
  const pool = new CountingPool();
  const writer = new ChunkWriter(disks, {
    id: VERSION,
    redundancy: { data: 1, parity: 0 },
    belong: disks.map(({ name }) => name),
    durable: false,
    concurrency: 4,
    pool,
    budget: new Budget(Infinity),
    folders: new FanOutFolders(),
    ...changes,
  });
  return {
    inner,
    disks,
    pool,
    writer,
    write: async (source: PutSource = BYTES) => {
      const { chunks, parity, unwritten } = await writer.write(await openSource(source, changes.signal));
      expect([...parity, ...unwritten]).toEqual([]);
      return chunks;
    },
    /** Makes the folders beforehand, so that the first call for each chunk is the one that writes it. */
    makeFolders: async () => {
      for (const disk of inner) await disk.makeFolder(FOLDER);
    },
    /** Chunk files on all disks, as `disk1/<file>`. */
    left: async () => {
      const lists = inner.map(async (disk) => {
        const files = (await disk.list('chunks')).map(async ({ name }) => disk.list(`chunks/${name}`));
        return (await Promise.all(files)).flat().map(({ name }) => `${disk.name}/${FOLDER}/${name}`);
      });
      return (await Promise.all(lists)).flat().sort();
    },
    bytesOf: async (chunks: ChunkEntry[]) => {
      const read = chunks.map(async ({ disk, file }) => {
        const holder = inner.find(({ name }) => name === disk);
        return (await holder?.read(file)) ?? Buffer.from('missing');
      });
      return Buffer.concat(await Promise.all(read));
    },
    expectFired: () => {
      for (const disk of disks) disk.expectAllFired();
    },
  };
}

const always = (operation: PlannedFault['operation'], errno: string): PlannedFault => ({
  operation,
  times: Infinity,
  effect: { kind: 'fail', errno },
});

describe('writing chunks', () => {
  it('cuts, hashes and deals them round-robin, and says where each one is', async () => {
    const test = prepare();
    const chunks = await test.write();
    expect(chunks).toHaveLength(7);
    chunks.forEach((chunk, order) => {
      const bytes = BYTES.subarray(order * CHUNK_SIZE, (order + 1) * CHUNK_SIZE);
      expect(chunk).toEqual({
        order,
        disk: `disk${((startOf(VERSION) + order) % 3) + 1}`,
        file: chunkFile(VERSION, order),
        size: bytes.length,
        sha256: createHash('sha256').update(bytes).digest('hex'),
      });
    });
    expect((await test.bytesOf(chunks)).equals(BYTES)).toBe(true);
    expect(test.writer.failures.size).toBe(0);
  });

  it.each([0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE])(
    'cuts %i bytes where they must be cut, from a buffer and from a stream',
    async (size) => {
      const bytes = seededBytes(size, size);
      for (const source of [bytes, Readable.from([bytes], { objectMode: false })]) {
        const test = prepare();
        const chunks = await test.write(source);
        expect(chunks.map((chunk) => chunk.size)).toEqual(
          Array.from({ length: Math.ceil(size / CHUNK_SIZE) }, (_, order) =>
            Math.min(CHUNK_SIZE, size - order * CHUNK_SIZE),
          ),
        );
        expect((await test.bytesOf(chunks)).equals(bytes)).toBe(true);
        if (size === 0) expect(await test.left()).toEqual([]);
      }
    },
  );

  it('has made every chunk durable, and then its name and the name of its folder, before it is done', async () => {
    const test = prepare([], { durable: true });
    const done: string[] = [];
    for (const disk of test.inner) {
      const [create, syncFolder] = [disk.create.bind(disk), disk.syncFolder.bind(disk)];
      disk.create = async (path, bytes, options) => {
        expect(options).toEqual({ durable: true });
        await create(path, bytes, options);
        done.push(`${disk.name} chunk`);
      };
      disk.syncFolder = async (path) => {
        await syncFolder(path);
        done.push(`${disk.name} ${path}`);
      };
    }
    // Two chunks: one of the three disks has none, and nothing to sync.
    const chunks = await test.write(BYTES.subarray(0, CHUNK_SIZE + 1));
    expect(done.slice(0, 2).sort()).toEqual(chunks.map(({ disk }) => `${disk} chunk`).sort());
    for (const { disk } of chunks) {
      expect(done.filter((call) => call.startsWith(disk))).toEqual([
        `${disk} chunk`,
        `${disk} ${FOLDER}`,
        `${disk} chunks`,
      ]);
    }
    expect(done).toHaveLength(6);
  });

  it('syncs nothing where it need not be durable', async () => {
    const test = prepare();
    const spies = test.inner.map((disk) => vi.spyOn(disk, 'syncFolder'));
    await test.write();
    for (const spy of spies) expect(spy).not.toHaveBeenCalled();
  });

  it('holds no more chunks in memory than it may, and gives every buffer back', async () => {
    for (const concurrency of [1, 2, 5]) {
      const test = prepare([], { concurrency });
      await test.write(Readable.from([BYTES], { objectMode: false }));
      expect(test.pool.most).toBe(concurrency);
      expect(test.pool.lent).toBe(0);
    }
  });

  it('reports the bytes of every chunk that is written', async () => {
    const reported: number[] = [];
    const test = prepare([], { onBytes: (bytes) => reported.push(bytes) });
    await test.write();
    expect(reported.sort((a, b) => a - b)).toEqual([1000, ...new Array<number>(6).fill(CHUNK_SIZE)]);
  });
});

describe('a disk that fails while chunks are written', () => {
  const faults: [string, PlannedFault][] = [
    ['full from the beginning', always('create', 'ENOSPC')],
    ['full when its second chunk comes', { ...always('create', 'ENOSPC'), nth: 2 }],
    ['failing from the beginning', always('create', 'EIO')],
    ['failing once', { operation: 'create', nth: 2, effect: { kind: 'fail', errno: 'EIO' } }],
    ['failing after it has written', { operation: 'create', nth: 1, effect: { kind: 'fail-after', errno: 'EIO' } }],
    ['unable to make the folder', always('makeFolder', 'ENOSPC')],
    ['read-only', always('makeFolder', 'EROFS')],
  ];
  for (const [name, fault] of faults) {
    for (const concurrency of [1, 4]) {
      it(`and is ${name} leaves its share to the others, and is named (${concurrency} at a time)`, async () => {
        const test = prepare([[], [fault], []], { concurrency });
        if (fault.operation === 'create') await test.makeFolders();
        const chunks = await test.write();
        expect(chunks.map(({ order }) => order)).toEqual([0, 1, 2, 3, 4, 5, 6]);
        expect((await test.bytesOf(chunks)).equals(BYTES)).toBe(true);
        const effect = fault.effect as Extract<FaultEffect, { errno: string }>;
        expect([...test.writer.failures]).toMatchObject([
          [test.disks[1], { details: { disk: 'disk2', errno: effect.errno } }],
        ]);
        expect(chunks.filter(({ disk }) => disk === 'disk2').length).toBeLessThan(3);
        test.expectFired();
      });
    }
  }

  it('and the next one too leave everything to the last', async () => {
    const test = prepare([[always('create', 'ENOSPC')], [], [always('create', 'EIO')]]);
    const chunks = await test.write();
    expect(new Set(chunks.map(({ disk }) => disk))).toEqual(new Set(['disk2']));
    expect((await test.bytesOf(chunks)).equals(BYTES)).toBe(true);
    test.expectFired();
  });

  it('ends it when it was the last, with the worst of the errors, and discard leaves nothing', async () => {
    const late = (errno: string): PlannedFault => ({ ...always('create', errno), nth: 2 });
    // They fail in the order disk2, disk3, disk1: the worst error is neither the first nor the last one.
    const test = prepare([[late('ENOSPC')], [late('ENOSPC')], [late('EIO')]], { concurrency: 1 });
    await test.makeFolders();
    await expect(test.write()).rejects.toMatchObject({ code: 'DISK_IO', details: { disk: 'disk3' } });
    expect([...test.writer.failures.values()].map(({ code }) => code)).toEqual(['DISK_FULL', 'DISK_IO', 'DISK_FULL']);
    expect(await test.left()).not.toEqual([]);
    await test.writer.discard();
    expect(await test.left()).toEqual([]);
    expect(test.pool.lent).toBe(0);
    test.expectFired();
  });

  it('ends it with DISK_FULL when all of them are full', async () => {
    const test = prepare([
      [always('create', 'ENOSPC')],
      [always('create', 'ENOSPC')],
      [always('makeFolder', 'ENOSPC')],
    ]);
    await expect(test.write()).rejects.toMatchObject({ code: 'DISK_FULL' });
    await test.writer.discard();
    expect(await test.left()).toEqual([]);
    test.expectFired();
  });

  it('ends it when a name cannot be made durable, and discard leaves nothing', async () => {
    const test = prepare(
      [[], [{ operation: 'syncFolder', path: FOLDER, effect: { kind: 'fail', errno: 'EIO' } }], []],
      { durable: true },
    );
    await expect(test.write()).rejects.toMatchObject({ code: 'DISK_IO', details: { disk: 'disk2' } });
    await test.writer.discard();
    expect(await test.left()).toEqual([]);
    test.expectFired();
  });

  it('ends nothing when discard cannot remove all: that is left to gc, and the rest goes', async () => {
    const test = prepare([[], [always('remove', 'EIO')], []]);
    const chunks = await test.write();
    await test.writer.discard();
    const stuck = chunks
      .filter(({ disk }) => disk === 'disk2')
      .map(({ file }) => `disk2/${file}`)
      .sort();
    expect(stuck).toHaveLength(3);
    expect(await test.left()).toEqual(stuck);
    test.expectFired();
  });

  it('passes a mistake of the program on', async () => {
    const test = prepare();
    for (const disk of test.inner) disk.create = () => Promise.reject(new TypeError('a mistake'));
    await expect(test.write()).rejects.toThrow(TypeError);
  });
});

describe('a write of chunks that is broken off', () => {
  it('fails with the error of its source, and discard leaves nothing', async () => {
    const test = prepare();
    const stream = Readable.from(
      (function* () {
        yield BYTES;
        throw new Error('the network is gone');
      })(),
    );
    await expect(test.write(stream)).rejects.toMatchObject({ code: 'BAD_SOURCE' });
    await test.writer.discard();
    expect(await test.left()).toEqual([]);
    expect(test.pool.lent).toBe(0);
  });

  it('never stores nothing for a file that has bytes but says that it has none, as those of /proc do', async () => {
    const test = prepare();
    const outcome = await test.write('/proc/self/status').then(
      (chunks) => chunks.length,
      (error: unknown) => error,
    );
    expect(outcome).not.toBe(0);
  });

  it('fails with ABORTED before the first chunk where it was aborted before', async () => {
    const test = prepare([], { signal: AbortSignal.abort() });
    await expect(test.write()).rejects.toMatchObject({ code: 'ABORTED' });
    expect(await test.left()).toEqual([]);
  });

  it('fails with ABORTED while its source gives nothing, and discard leaves nothing', async () => {
    const controller = new AbortController();
    const test = prepare([], {
      signal: controller.signal,
      onBytes: () => {
        controller.abort();
      },
    });
    const stream = new PassThrough({ highWaterMark: 2 * CHUNK_SIZE });
    stream.write(BYTES.subarray(0, CHUNK_SIZE));
    await expect(test.write(stream)).rejects.toMatchObject({ code: 'ABORTED' });
    await test.writer.discard();
    expect(await test.left()).toEqual([]);
    expect(test.pool.lent).toBe(0);
  });

  it('fails only when every chunk in flight has landed, so that discard leaves none behind', async () => {
    const gate = deferred();
    const controller = new AbortController();
    const slow: PlannedFault = { operation: 'create', effect: { kind: 'hang', until: gate.promise } };
    const test = prepare([[slow], [], []], {
      signal: controller.signal,
      onBytes: () => {
        controller.abort();
      },
    });
    let settled = false;
    const result = test
      .write()
      .catch((error: unknown) => error)
      .finally(() => (settled = true));
    await vi.waitUntil(() => controller.signal.aborted);
    await new Promise((resolve) => setImmediate(resolve));
    expect(settled).toBe(false);
    gate.resolve();
    expect(await result).toMatchObject({ code: 'ABORTED' });
    await test.writer.discard();
    expect(await test.left()).toEqual([]);
    test.expectFired();
  });
});
