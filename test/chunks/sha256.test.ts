import { createHash } from 'node:crypto';
import type { EventEmitter } from 'node:events';
import type * as Os from 'node:os';
import type * as Threads from 'node:worker_threads';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { alignedBuffers } from '../../src/memory/aligned.ts';
import type * as Sha256 from '../../src/chunks/sha256.ts';
import { seededBytes } from '../support/bytes.ts';
import { MIB } from '../support/store.ts';

// Threads belong to the module: each test has one of its own.
let module: typeof Sha256;

const cores = vi.hoisted(() => ({ number: 4 }));
vi.mock('node:os', async (original) => ({
  ...(await original<typeof Os>()),
  availableParallelism: () => cores.number,
}));

const made = vi.hoisted(() => ({ threads: 0, real: true, fakes: [] as EventEmitter[], answers: 0, mayStart: true }));
vi.mock('node:worker_threads', async (original) => {
  const threads = await original<typeof Threads>();
  const { EventEmitter: Emitter } = await import('node:events');
  class FakeWorker extends Emitter {
    ref = vi.fn();
    unref = vi.fn();
    postMessage = vi.fn();
  }
  function Worker(...args: ConstructorParameters<typeof threads.Worker>): EventEmitter {
    made.threads++;
    if (!made.mayStart) throw new Error('ERR_WORKER_INIT_FAILED');
    if (made.real) return new threads.Worker(...args).on('message', () => made.answers++);
    const fake = new FakeWorker();
    made.fakes.push(fake);
    return fake;
  }
  return { ...threads, Worker };
});

beforeEach(async () => {
  vi.resetModules();
  module = await import('../../src/chunks/sha256.ts');
});

afterEach(() => {
  cores.number = 4;
  Object.assign(made, { threads: 0, real: true, fakes: [], answers: 0, mayStart: true });
});

function expected(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function filled(count: number, size = MIB): Buffer[] {
  return alignedBuffers(count, size).map((buffer, index) => {
    buffer.set(seededBytes(size, index));
    return buffer;
  });
}

test('many buffers at once, of all kinds and lengths, get their own SHA-256 each', async () => {
  const aligned = filled(40);
  const parts = aligned.map((buffer, index) => buffer.subarray(index, buffer.length - 3 * index));
  const others = [0, 1, 63, 64, 65, 1000, 300_000, MIB + 1].map((size) => seededBytes(size, size));
  const all = [...aligned, ...parts, ...others, ...aligned];
  expect(await Promise.all(all.map((bytes) => module.sha256(bytes)))).toEqual(all.map(expected));
  expect(all.map((bytes) => module.sha256Now(bytes))).toEqual(all.map(expected));
  expect(made.threads).toBeGreaterThan(0);
  expect(made.answers).toBeGreaterThan(0);
});

test.each([
  { number: 1, threads: 0 },
  { number: 2, threads: 1 },
  { number: 4, threads: 3 },
  { number: 64, threads: 3 },
])('with $number cores there are $threads threads beside this one at most', async ({ number, threads }) => {
  cores.number = number;
  const buffers = filled(60);
  expect(await Promise.all(buffers.map((bytes) => module.sha256(bytes)))).toEqual(buffers.map(expected));
  expect(made.threads).toBe(threads);
});

test('a few chunks, and many small ones, start no thread', async () => {
  const [small = Buffer.alloc(0)] = filled(1, 64 * 1024);
  for (let index = 0; index < 300; index++) await module.sha256(small);
  for (const bytes of filled(8)) await module.sha256(bytes);
  expect(made.threads).toBe(0);
});

test('bytes that no other thread can see are hashed here', async () => {
  const bytes = seededBytes(MIB, 1);
  for (let index = 0; index < 20; index++) expect(await module.sha256(bytes)).toBe(expected(bytes));
  expect(made.threads).toBe(0);
});

test('bytes in memory of their own go to the threads and come back, with their SHA-256', async () => {
  const all = Array.from({ length: 40 }, (_, index) => seededBytes(MIB, index));
  const [hashes, contents] = [all.map(expected), all.map((bytes) => Buffer.from(bytes))];
  // Parts of a memory, like a chunk that was read into a buffer with a byte to spare.
  const hashed = await Promise.all(all.map((bytes) => module.sha256Moving(bytes)));
  expect(hashed.map(({ sha256 }) => sha256)).toEqual(hashes);
  expect(hashed.every(({ bytes }, index) => contents[index]?.equals(bytes) === true)).toBe(true);
  expect(made.answers).toBeGreaterThan(0);
  expect(all.filter(({ length }) => length === 0)).toHaveLength(made.answers);
});

test('bytes in memory that threads share stay the very bytes that they were: direct I/O is for these alone', async () => {
  const all = filled(40);
  const hashed = await Promise.all(all.map((bytes) => module.sha256Moving(bytes)));
  expect(made.answers).toBeGreaterThan(0);
  for (const [index, { sha256, bytes }] of hashed.entries()) {
    expect(bytes).toBe(all[index]);
    expect(sha256).toBe(expected(bytes));
  }
});

test('a thread that ends with bytes that were moved to it is a shortage, and no damage', async () => {
  made.real = false;
  cores.number = 2;
  for (const bytes of filled(8)) await module.sha256(bytes);
  const moved = module.sha256Moving(seededBytes(MIB, 1));
  made.fakes[0]?.emit('error', new Error('out of memory'));
  await expect(moved).rejects.toMatchObject({ code: 'OUT_OF_RESOURCES' });
  const bytes = seededBytes(MIB, 2);
  expect(await module.sha256Moving(bytes)).toEqual({ sha256: expected(bytes), bytes });
});

test('where no thread can be started, all is hashed here, and it is not tried again', async () => {
  made.mayStart = false;
  const buffers = filled(30);
  expect(await Promise.all(buffers.map((bytes) => module.sha256(bytes)))).toEqual(buffers.map(expected));
  expect(made.threads).toBe(1);
});

test.each(['error', 'exit'])(
  'when a thread ends with "%s", what it had to do is done here, and it gets nothing more',
  async (event) => {
    made.real = false;
    cores.number = 2;
    const buffers = filled(30);
    const all = buffers.map((bytes) => module.sha256(bytes));
    const [thread] = made.fakes;
    thread?.emit(event, new Error('out of memory'));
    expect(await Promise.all(all)).toEqual(buffers.map(expected));
    expect(await Promise.all(buffers.map((bytes) => module.sha256(bytes)))).toEqual(buffers.map(expected));
    expect(made.threads).toBe(1);
  },
);

test('a thread keeps the process alive as long as it has something to do, and no longer', async () => {
  made.real = false;
  cores.number = 2;
  const [bytes = Buffer.alloc(0)] = filled(1);
  for (let index = 0; index < 8; index++) await module.sha256(bytes);
  const last = module.sha256(bytes);
  const [thread] = made.fakes as (EventEmitter & { ref: () => void; unref: () => void })[];
  expect(thread?.ref).toHaveBeenCalledTimes(1);
  expect(thread?.unref).toHaveBeenCalledTimes(1);
  thread?.emit('message', { sha256: 'its hash' });
  expect(await last).toBe('its hash');
  expect(thread?.unref).toHaveBeenCalledTimes(2);
});
