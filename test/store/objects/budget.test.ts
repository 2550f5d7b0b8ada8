import * as path from 'node:path';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { getToFile } from '../../../src/store/objects/get-to-file.ts';
import { get } from '../../../src/store/objects/get.ts';
import { put } from '../../../src/store/objects/put.ts';
import { verify } from '../../../src/store/health/verify.ts';
import { StoreContext } from '../../../src/store/protocol/context.ts';
import { CountingPool } from '../../memory/counting-pool.ts';
import { seededBytes } from '../../support/bytes.ts';
import { contextOf } from '../../support/context.ts';
import { failure, MIB, newStore } from '../../support/store.ts';
import { tempFolder } from '../../support/temp.ts';

/** Chunks that all operations together may have in memory, with a concurrency of 1. */
const BUDGET = 4;

const BYTES = seededBytes(3 * MIB + 100_000, 'budget');

/** A store in which one operation may have one chunk in flight, and what counts its buffers. */
async function narrowStore(redundancy?: string): Promise<{ context: StoreContext; pool: CountingPool }> {
  const { members, locks } = await contextOf(await newStore(3, redundancy === undefined ? {} : { redundancy }));
  const pool = new CountingPool();
  return { context: Object.assign(new StoreContext(members, locks, 1), { pool }), pool };
}

async function contentOf(body: Readable): Promise<Buffer> {
  return Buffer.concat((await body.toArray()) as Buffer[]);
}

/** Reads the first bytes of an object and then no more. */
async function pausedStream(context: StoreContext, key: string, onBytes?: () => void): Promise<Readable> {
  const { body } = await get(context, 'bucket', key, { onBytes });
  await new Promise((resolve) => body.once('readable', resolve));
  return body;
}

test.each([undefined, '2+1'])(
  'many operations at once all come to an end, and never have more buffers than the budget: %s',
  async (redundancy) => {
    const { context, pool } = await narrowStore(redundancy);
    const keys = Array.from({ length: 10 }, (_, index) => `key${index}`);
    await Promise.all(keys.map((key) => put(context, { bucket: 'bucket', key }, Readable.from([BYTES]), {})));
    // On top comes what each upload reads meanwhile: a stripe.
    expect(pool.most).toBeLessThanOrEqual(BUDGET + 2 * keys.length);
    expect(pool.lent).toBe(0);

    pool.most = 0;
    const folder = tempFolder();
    const reads = keys.map((key) => getToFile(context, 'bucket', key, path.join(folder, key), {}));
    const [report] = await Promise.all([verify(context, {}), verify(context, {}), ...reads]);
    expect(report.objects).toBe(keys.length);
    expect(pool.most).toBeGreaterThan(0);
    expect(pool.most).toBeLessThanOrEqual(BUDGET);
    expect(pool.lent).toBe(0);
  },
);

test('streams that nobody reads on from keep nobody waiting, and have a bounded number of chunks read ahead', async () => {
  const { members, locks } = await contextOf(await newStore());
  const context = new StoreContext(members, locks, 4);
  await put(context, { bucket: 'bucket', key: 'key' }, BYTES, {});
  let read = 0;
  const paused = await Promise.all(Array.from({ length: 20 }, () => pausedStream(context, 'key', () => read++)));
  await put(context, { bucket: 'bucket', key: 'other' }, BYTES, {});
  await getToFile(context, 'bucket', 'other', path.join(tempFolder(), 'out'), {});
  expect((await verify(context, {})).objects).toBe(2);
  expect(BYTES.equals(await contentOf((await get(context, 'bucket', 'other', {})).body))).toBe(true);
  // One that each has handed out, and one that it hands out next; and what the budget has for reading ahead.
  expect(read).toBeLessThanOrEqual(2 * paused.length + 4 * BUDGET);
  for (const body of paused) body.destroy();
  // Resolves when everything has come back.
  (await context.ahead.take(Infinity))();
});

test('what a stream has handed out never changes, whatever is read and written afterwards', async () => {
  const { context } = await narrowStore();
  await put(context, { bucket: 'bucket', key: 'key' }, BYTES, {});
  const kept = (await (await get(context, 'bucket', 'key', {})).body.toArray()) as Buffer[];
  await put(context, { bucket: 'bucket', key: 'key' }, Buffer.alloc(BYTES.length, 0xaa), {});
  await contentOf((await get(context, 'bucket', 'key', {})).body);
  await verify(context, {});
  expect(BYTES.equals(Buffer.concat(kept))).toBe(true);
  // Memory of its own each, which can be given to another thread.
  for (const bytes of kept) expect(structuredClone(bytes, { transfer: [bytes.buffer as ArrayBuffer] })).toBeDefined();
});

test('objects are copied within the store, many at once: the upload does not keep what its own source needs', async () => {
  const { context, pool } = await narrowStore();
  await put(context, { bucket: 'bucket', key: 'key' }, BYTES, {});
  const copies = Array.from({ length: 2 * BUDGET }, async (_, index) => {
    const { body } = await get(context, 'bucket', 'key', {});
    await put(context, { bucket: 'bucket', key: `copy${index}` }, body, {});
  });
  await Promise.all(copies);
  expect(pool.lent).toBe(0);
  expect(BYTES.equals(await contentOf((await get(context, 'bucket', 'copy1', {})).body))).toBe(true);
});

test('uploads whose sources give nothing more keep nobody waiting', async () => {
  const { context, pool } = await narrowStore();
  const stop = new AbortController();
  let stopped = 0;
  const uploads = Array.from({ length: 2 * BUDGET }, (_, index) => {
    const source = new Readable({ read: () => undefined });
    source.push(BYTES.subarray(0, 1.5 * MIB));
    return failure(
      put(context, { bucket: 'bucket', key: `key${index}` }, source, { signal: stop.signal, onBytes: () => stopped++ }),
    );
  });
  await expect.poll(() => stopped).toBe(uploads.length);
  await put(context, { bucket: 'bucket', key: 'other' }, BYTES, {});
  await getToFile(context, 'bucket', 'other', path.join(tempFolder(), 'out'), {});
  stop.abort();
  expect((await Promise.all(uploads)).every(({ code }) => code === 'ABORTED')).toBe(true);
  expect(pool.lent).toBe(0);
});
