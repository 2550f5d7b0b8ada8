import { describe, expect, it, vi } from 'vitest';
import { StripeReader } from '../../src/chunks/stripe-reader.ts';
import type { StripeRunOptions } from '../../src/chunks/stripe-run.ts';
import type { Disk } from '../../src/disks/disk.ts';
import { isStoreError, type StoreError } from '../../src/errors.ts';
import { CHUNK_SIZE, type ChunkEntry } from '../../src/metadata/meta.ts';
import { parseRedundancy } from '../../src/metadata/redundancy.ts';
import { isParity, shardsOf, type ShardEntry } from '../../src/metadata/stripes.ts';
import { fc } from '../metadata/property.ts';
import { CountingPool } from '../memory/counting-pool.ts';
import { CODE_OF, LOSSES, SampleObject, type Loss } from './sample-object.ts';

const REDUNDANCIES = ['1+1', '2+1', '2+2', '4+2'];

interface Outcome {
  bytes: Buffer;
  /** Chunks that were computed, with the codes of the reasons. */
  rebuilt: [ChunkEntry, string][];
}

/** Reads chunks of stripe 0; whatever happens, all buffers must come back. */
async function read(
  object: SampleObject,
  online: Disk[],
  wanted: readonly ChunkEntry[],
  options: Partial<StripeRunOptions> = {},
): Promise<Outcome> {
  const pool = new CountingPool();
  const rebuilt: [ChunkEntry, string][] = [];
  const onRebuilt = (chunk: ChunkEntry, reason: StoreError): void => {
    rebuilt.push([chunk, reason.code]);
    expect(reason.details).toMatchObject({
      disk: chunk.disk,
      chunk: chunk.order,
      bucket: 'my-bucket',
      key: 'folder/demo.txt',
    });
  };
  const reader = new StripeReader(object.meta, { online, offline: [] }, { buffers: pool, onRebuilt, ...options });
  try {
    const bytes = await reader.read(object.stripe(0), wanted, (chunks) => {
      expect(chunks.map(({ length }) => length)).toEqual(wanted.map(({ size }) => size));
      return Buffer.concat(chunks);
    });
    return { bytes, rebuilt };
  } finally {
    // What was still on its way when the answer was there.
    await new Promise((resolve) => setImmediate(resolve));
    expect(pool.lent).toBe(0);
  }
}

/** All ways to lose `count` of the shards, each in one of the ways. */
function* lossPatterns(
  shards: readonly ShardEntry[],
  count: number,
  ways: readonly Loss[],
): Iterable<Map<ShardEntry, Loss>> {
  const [first, ...others] = shards;
  if (count === 0) yield new Map();
  if (count === 0 || first === undefined) return;
  for (const rest of lossPatterns(others, count - 1, ways)) {
    for (const way of ways) yield new Map([[first, way], ...rest]);
  }
  yield* lossPatterns(others, count, ways);
}

const describeLoss = (lost: ReadonlyMap<ShardEntry, Loss>): string =>
  [...lost].map(([shard, loss]) => `${shard.file} ${loss}`).join(', ');

function sizesOf(redundancy: string): number[] {
  const { data } = parseRedundancy(redundancy);
  return Array.from({ length: data }, (_, index) => (index === data - 1 ? 123 : 300));
}

describe('reading a stripe', () => {
  for (const redundancy of REDUNDANCIES) {
    const { data, parity } = parseRedundancy(redundancy);

    it(`with ${redundancy} gives the right bytes after every loss of up to ${parity} shards, and tells exactly what was computed`, async () => {
      const object = new SampleObject(redundancy, sizesOf(redundancy));
      const { chunks } = object.stripe(0);
      let patterns = 0;
      for (let count = 0; count <= parity; count++) {
        for (const lost of lossPatterns(shardsOf(object.stripe(0)), count, LOSSES)) {
          patterns++;
          const { all, online } = await object.disks(lost);
          const { bytes, rebuilt } = await read(object, online, chunks);
          if (!bytes.equals(object.bytes)) expect.fail(`wrong bytes: ${describeLoss(lost)}`);
          const expected = chunks.flatMap((chunk) =>
            lost.has(chunk) ? [[chunk, CODE_OF[lost.get(chunk) ?? 'missing']]] : [],
          );
          expect(rebuilt, describeLoss(lost)).toEqual(expected);
          // A chunk that cannot be read was asked for.
          for (const disk of all)
            if (chunks.some((chunk) => chunk.disk === disk.name && lost.get(chunk) === 'unreadable'))
              disk.expectAllFired();
        }
      }
      const n = data + parity;
      const ways = LOSSES.length;
      expect(patterns).toBe(parity === 1 ? 1 + n * ways : 1 + n * ways + ((n * (n - 1)) / 2) * ways ** 2);
    });

    it(`with ${redundancy} gives each chunk by itself, after every loss of up to ${parity} shards`, async () => {
      const object = new SampleObject(redundancy, sizesOf(redundancy));
      const { chunks } = object.stripe(0);
      for (const wanted of chunks) {
        for (let count = 0; count <= parity; count++) {
          for (const lost of lossPatterns(shardsOf(object.stripe(0)), count, ['missing', 'corrupt', 'offline'])) {
            const { online } = await object.disks(lost);
            const { bytes, rebuilt } = await read(object, online, [wanted]);
            if (!bytes.equals(object.bytesOf([wanted])))
              expect.fail(`wrong bytes of ${wanted.file}: ${describeLoss(lost)}`);
            expect(
              rebuilt.map(([chunk]) => chunk),
              describeLoss(lost),
            ).toEqual(lost.has(wanted) ? [wanted] : []);
          }
        }
      }
    });

    it(`with ${redundancy} fails after every loss of ${parity + 1} shards, and says what of which object is lost where and why`, async () => {
      const object = new SampleObject(redundancy, sizesOf(redundancy));
      const { chunks } = object.stripe(0);
      const ways: readonly Loss[] = parity === 1 ? LOSSES : ['missing', 'corrupt', 'offline'];
      for (const lost of lossPatterns(shardsOf(object.stripe(0)), parity + 1, ways)) {
        const { online } = await object.disks(lost);
        const gone = chunks.filter((chunk) => lost.has(chunk));
        const [first] = gone;
        const last = gone.at(-1);
        if (first === undefined || last === undefined) throw new Error('so many losses must concern a chunk');
        const from = object.bytesOf(chunks.slice(0, first.order)).length;
        const to = object.bytesOf(chunks.slice(0, last.order + 1)).length;
        const error: unknown = await read(object, online, chunks).catch((reason: unknown) => reason);
        expect(error, describeLoss(lost)).toMatchObject({
          name: 'StoreError',
          code: CODE_OF[lost.get(first) ?? 'missing'],
          details: { bucket: 'my-bucket', key: 'folder/demo.txt', chunk: first.order, from, to, disk: first.disk },
        });
        if (!isStoreError(error)) throw error;
        expect(error.message).toMatch(
          new RegExp(
            `^bytes ${from}-${to - 1} of my-bucket/folder/demo\\.txt cannot be read: chunk ${first.order} of `,
          ),
        );
        expect([...(error.details.disks ?? [])].sort(), describeLoss(lost)).toEqual(
          [...lost.keys()].map(({ disk }) => disk).sort(),
        );
        for (const shard of lost.keys()) expect(error.message).toContain(`on disk "${shard.disk}" `);
      }
    });
  }

  it('reads what is wanted and nothing else where nothing is wrong', async () => {
    const object = new SampleObject('4+2', sizesOf('4+2'));
    const { online, inner } = await object.disks();
    const spies = inner.map((disk) => vi.spyOn(disk, 'read'));
    const [, second, third] = object.stripe(0).chunks;
    if (second === undefined || third === undefined) throw new Error('no such chunks');
    expect((await read(object, online, [second, third])).bytes.equals(object.bytesOf([second, third]))).toBe(true);
    expect(spies.map(({ mock }) => mock.calls.length)).toEqual([0, 1, 1, 0, 0, 0]);
  });

  it('reads no more than k shards to compute one that is lost, and each once', async () => {
    const object = new SampleObject('4+2', sizesOf('4+2'));
    const [first] = object.stripe(0).chunks;
    if (first === undefined) throw new Error('no such chunk');
    const { online, inner } = await object.disks(new Map([[first, 'offline']]));
    const spies = inner.map((disk) => vi.spyOn(disk, 'read'));
    await read(object, online, [first]);
    expect(spies.map(({ mock }) => mock.calls.length)).toEqual([0, 1, 1, 1, 1, 0]);
  });

  it('notices that the parity which it computed from is damaged, and takes another row', async () => {
    const object = new SampleObject('4+2', sizesOf('4+2'));
    const { chunks, parity } = object.stripe(0);
    const [first] = chunks;
    const [row] = parity;
    if (first === undefined || row === undefined) throw new Error('no such shards');
    const { online, inner } = await object.disks(
      new Map<ShardEntry, Loss>([
        [first, 'missing'],
        [row, 'corrupt'],
      ]),
    );
    const spies = inner.map((disk) => vi.spyOn(disk, 'read'));
    const { bytes, rebuilt } = await read(object, online, chunks);
    expect(bytes.equals(object.bytes)).toBe(true);
    expect(rebuilt).toEqual([[first, 'CHUNK_UNAVAILABLE']]);
    expect(spies.map(({ mock }) => mock.calls.length)).toEqual([1, 1, 1, 1, 1, 1]);
  });

  it('notices that a chunk nobody wanted, which it computed from, is damaged, and takes parity', async () => {
    const object = new SampleObject('4+2', sizesOf('4+2'));
    const { chunks } = object.stripe(0);
    const [first, second] = chunks;
    if (first === undefined || second === undefined) throw new Error('no such chunks');
    const { online } = await object.disks(
      new Map<ShardEntry, Loss>([
        [first, 'missing'],
        [second, 'corrupt'],
      ]),
    );
    const { bytes, rebuilt } = await read(object, online, [first]);
    expect(bytes.equals(object.bytesOf([first]))).toBe(true);
    expect(rebuilt.map(([chunk]) => chunk)).toEqual([first]);
  });

  it('gives nothing that does not match its SHA-256, even where the parity is right by its own and still does not fit', async () => {
    const object = new SampleObject('2+1', sizesOf('2+1'));
    const other = new SampleObject('2+1', [300, 122]);
    const { chunks } = object.stripe(0);
    const [first] = chunks;
    const [row] = other.stripe(0).parity;
    if (first === undefined || row === undefined) throw new Error('no such shards');
    const { online } = await other.disks(new Map([[first, 'missing' as const]]));
    const stripe = { ...object.stripe(0), parity: [row] };
    const pool = new CountingPool();
    const reader = new StripeReader(
      object.meta,
      { online: online.filter(({ name }) => name !== first.disk), offline: [] },
      { buffers: pool },
    );
    await expect(reader.read(stripe, [first], () => 'bytes')).rejects.toMatchObject({
      name: 'StoreError',
      code: expect.stringMatching(/^CHUNK_/) as string,
    });
    expect(pool.lent).toBe(0);
  });

  it('gives chunks of full size from buffers that it has used before', async () => {
    const object = new SampleObject('2+1', [CHUNK_SIZE, CHUNK_SIZE, CHUNK_SIZE, 1000]);
    const [lost] = object.stripe(0).chunks;
    const [, late] = object.stripe(1).chunks;
    if (lost === undefined || late === undefined) throw new Error('no such chunks');
    const { all } = await object.disks(
      new Map<ShardEntry, Loss>([
        [lost, 'corrupt'],
        [late, 'missing'],
      ]),
    );
    const pool = new CountingPool();
    const reader = new StripeReader(object.meta, { online: all, offline: [] }, { buffers: pool });
    const whole: Buffer[] = [];
    for (let round = 0; round < 2; round++) {
      for (const stripe of object.stripes) {
        whole.push(await reader.read(stripe, stripe.chunks, (chunks) => Buffer.concat(chunks)));
        await new Promise((resolve) => setImmediate(resolve));
        expect(pool.lent).toBe(0);
      }
    }
    expect(Buffer.concat(whole).equals(Buffer.concat([object.bytes, object.bytes]))).toBe(true);
    // A stripe's shards, a chunk that is computed, and no more.
    expect(pool.most).toBeLessThanOrEqual(4);
  });

  it('gives any part of any stripe after any losses that can be survived, or says what is lost', async () => {
    let failed = 0;
    const setting = fc.constantFrom('1+1', '1+3', '2+1', '3+2', '4+2', '5+3', '8+4').chain((redundancy) => {
      const { data, parity } = parseRedundancy(redundancy);
      const n = data + parity;
      return fc.record({
        redundancy: fc.constant(redundancy),
        sizes: fc
          .integer({ min: 1, max: data })
          .chain((count) => fc.array(fc.integer({ min: 1, max: 200 }), { minLength: count, maxLength: count })),
        losses: fc.array(fc.tuple(fc.nat({ max: n - 1 }), fc.constantFrom(...LOSSES)), { maxLength: parity + 2 }),
        wanted: fc.array(fc.nat({ max: data - 1 }), { minLength: 1, maxLength: data }),
      });
    });
    await fc.assert(
      fc.asyncProperty(setting, async ({ redundancy, sizes, losses, wanted: picks }) => {
        const object = new SampleObject(redundancy, sizes);
        const stripe = object.stripe(0);
        const shards = shardsOf(stripe);
        const lost = new Map(
          losses.flatMap(([index, loss]) => (shards[index] === undefined ? [] : [[shards[index], loss]])),
        );
        const wanted = stripe.chunks.filter((_, index) => picks.includes(index));
        if (wanted.length === 0) return;
        const { online } = await object.disks(lost);
        let outcome: Outcome;
        try {
          outcome = await read(object, online, wanted);
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/^CHUNK_/) as string });
          expect(wanted.some((chunk) => lost.has(chunk))).toBe(true);
          expect(lost.size).toBeGreaterThan(stripe.parity.length);
          failed++;
          return;
        }
        // Damages of more shards than can be lost may cancel out: then the bytes are right all the same.
        const { bytes, rebuilt } = outcome;
        expect(bytes.equals(object.bytesOf(wanted))).toBe(true);
        expect(rebuilt.map(([chunk]) => chunk)).toEqual(wanted.filter((chunk) => lost.has(chunk)));
      }),
      { numRuns: 400 },
    );
    expect(failed).toBeGreaterThan(0);
  });
});

describe('telling before the first byte', () => {
  it('that enough disks are there, or what is lost and which disks are away', async () => {
    const object = new SampleObject('4+2', sizesOf('4+2'));
    const stripe = object.stripe(0);
    for (let count = 0; count <= 4; count++) {
      for (const lost of lossPatterns(shardsOf(stripe), count, ['offline'])) {
        const { online } = await object.disks(lost);
        const offline = [...lost.keys()].map(({ disk }) => ({
          disk,
          state: { status: 'missing' as const, reason: 'it was taken away' },
        }));
        const reader = new StripeReader(object.meta, { online, offline }, { buffers: new CountingPool() });
        const check = (): void => {
          reader.checkDisks(stripe, stripe.chunks);
        };
        if (count <= 2) {
          expect(check).not.toThrow();
          continue;
        }
        const gone = [...lost.keys()].filter((shard): shard is ChunkEntry => !isParity(shard));
        expect(check).toThrow(
          expect.objectContaining({
            code: 'CHUNK_UNAVAILABLE',
            message: expect.stringMatching(
              /^bytes \d+-\d+ of my-bucket\/folder\/demo\.txt cannot be read: chunk \d of .* is out of reach: the disk is missing \(it was taken away\)/,
            ) as string,
            details: expect.objectContaining({
              chunk: gone[0]?.order,
              from: (gone[0]?.order ?? 0) * 300,
              disks: expect.arrayContaining(offline.map(({ disk }) => disk)) as string[],
            }) as object,
          }),
        );
      }
    }
  });

  it('does not mind disks that are away where nothing that is wanted is on them', async () => {
    const object = new SampleObject('4+2', sizesOf('4+2'));
    const stripe = object.stripe(0);
    const [first] = stripe.chunks;
    if (first === undefined) throw new Error('no such chunk');
    const { all } = await object.disks();
    const reader = new StripeReader(
      object.meta,
      { online: all.slice(0, 1), offline: [] },
      { buffers: new CountingPool() },
    );
    reader.checkDisks(stripe, [first]);
    expect(
      (await reader.read(stripe, [first], ([bytes]) => Buffer.from(bytes ?? []))).equals(object.bytesOf([first])),
    ).toBe(true);
  });
});

describe('the buffers of a stripe', () => {
  it("are lent until the user is done, and then come back, the user's failure included", async () => {
    const object = new SampleObject('4+2', sizesOf('4+2'));
    const stripe = object.stripe(0);
    const [first] = stripe.chunks;
    if (first === undefined) throw new Error('no such chunk');
    const { online } = await object.disks(new Map([[first, 'missing']]));
    const pool = new CountingPool();
    const reader = new StripeReader(object.meta, { online, offline: [] }, { buffers: pool });
    await reader.read(stripe, stripe.chunks, async (chunks) => {
      await new Promise((resolve) => setImmediate(resolve));
      expect(pool.lent).toBeGreaterThanOrEqual(4);
      expect(Buffer.concat(chunks).equals(object.bytes)).toBe(true);
    });
    expect(pool.lent).toBe(0);
    const failing = reader.read(stripe, stripe.chunks, () => Promise.reject(new RangeError('the target is full')));
    await expect(failing).rejects.toThrow(RangeError);
    expect(pool.lent).toBe(0);
  });

  it('come back when a disk makes a mistake of the program, which is passed on', async () => {
    const object = new SampleObject('4+2', sizesOf('4+2'));
    const { online, inner } = await object.disks();
    for (const disk of inner.slice(1, 2)) disk.read = () => Promise.reject(new TypeError('a mistake'));
    await expect(read(object, online, object.stripe(0).chunks)).rejects.toThrow(TypeError);
  });

  it('come back when somebody who is told what was computed fails', async () => {
    const object = new SampleObject('2+1', sizesOf('2+1'));
    const [first] = object.stripe(0).chunks;
    if (first === undefined) throw new Error('no such chunk');
    const { online } = await object.disks(new Map([[first, 'missing']]));
    const onRebuilt = (): never => {
      throw new RangeError('no');
    };
    await expect(read(object, online, object.stripe(0).chunks, { onRebuilt })).rejects.toThrow(RangeError);
  });
});
