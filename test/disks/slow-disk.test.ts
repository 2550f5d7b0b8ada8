import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { PatientDisk } from '../../src/disks/patient-disk.ts';
import { MemoryDisk } from '../contract/memory-disk.ts';
import { deferred } from './deferred.ts';
import { patient } from './patient.ts';

/** A disk whose calls take until the test ends them, in the order in which they have begun. */
function prepare(atOnce = 1) {
  const inner = new MemoryDisk('disk1');
  const doors: ReturnType<typeof deferred>[] = [];
  const held = <T>(outcome: T): Promise<T> => {
    const door = deferred();
    doors.push(door);
    return door.promise.then(() => outcome);
  };
  inner.read = () => held(Buffer.alloc(1));
  inner.syncFolder = () => held(undefined);
  const end = async (): Promise<void> => {
    doors.shift()?.resolve();
    await vi.advanceTimersByTimeAsync(0);
  };
  return { disk: patient(inner, { atOnce: () => atOnce }), end };
}

/** A read of a chunk, and how often it has been said to be late. */
function readChunk(disk: PatientDisk) {
  const onLate = vi.fn();
  const reading = disk.read('chunks/x', { buffer: () => Buffer.alloc(2), onLate });
  return { onLate, reading };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

test('a chunk that has not come after half a second is late, once, and its disk is slow for half a minute', async () => {
  const { disk, end } = prepare();
  const { onLate, reading } = readChunk(disk);
  await vi.advanceTimersByTimeAsync(499);
  expect([onLate.mock.calls.length, disk.isSlow]).toEqual([0, false]);
  await vi.advanceTimersByTimeAsync(1);
  expect([onLate.mock.calls.length, disk.isSlow]).toEqual([1, true]);
  await vi.advanceTimersByTimeAsync(2000);
  expect(onLate).toHaveBeenCalledTimes(1);
  await end();
  await reading;
  await vi.advanceTimersByTimeAsync(27_999);
  expect(disk.isSlow).toBe(true);
  await vi.advanceTimersByTimeAsync(1);
  expect(disk.isSlow).toBe(false);
  expect(vi.getTimerCount()).toBe(0);
});

test('a chunk that comes in time is not late, and a document never is', async () => {
  const { disk, end } = prepare();
  const chunk = readChunk(disk);
  await vi.advanceTimersByTimeAsync(499);
  await end();
  await chunk.reading;
  const onLate = vi.fn();
  const reading = disk.read('buckets/x', { onLate });
  await vi.advanceTimersByTimeAsync(2000);
  await end();
  await reading;
  expect([chunk.onLate.mock.calls.length, onLate.mock.calls.length, disk.isSlow]).toEqual([0, 0, false]);
});

test('who waits for a turn is not late as long as others have theirs, however many they are', async () => {
  const { disk, end } = prepare();
  const others = Array.from({ length: 10 }, () => disk.syncFolder('chunks'));
  const { onLate, reading } = readChunk(disk);
  for (const other of others) {
    await vi.advanceTimersByTimeAsync(400);
    await end();
    await other;
  }
  expect([onLate.mock.calls.length, disk.isSlow]).toEqual([0, false]);
  await end();
  await reading;
});

test('who waits for a turn is late where nothing comes back from the disk, whatever it was asked for', async () => {
  const { disk, end } = prepare();
  const hanging = disk.syncFolder('chunks');
  const { onLate, reading } = readChunk(disk);
  await vi.advanceTimersByTimeAsync(500);
  expect([onLate.mock.calls.length, disk.isSlow]).toEqual([1, true]);
  await end();
  await end();
  await Promise.all([hanging, reading]);
});

test('who waits for a turn is late where another reader has found the disk slow', async () => {
  const { disk, end } = prepare(2);
  const slow = readChunk(disk);
  await vi.advanceTimersByTimeAsync(250);
  const quick = disk.syncFolder('chunks');
  const waiting = readChunk(disk);
  await vi.advanceTimersByTimeAsync(250);
  expect([slow, waiting].map(({ onLate }) => onLate.mock.calls.length)).toEqual([1, 0]);
  const next = disk.syncFolder('chunks');
  await vi.advanceTimersByTimeAsync(250);
  expect(waiting.onLate).toHaveBeenCalledTimes(1);
  for (let calls = 0; calls < 4; calls++) await end();
  await Promise.all([slow.reading, waiting.reading, quick, next]);
});

test('a read is late half a second after its turn has come, however long it has waited for that', async () => {
  const { disk, end } = prepare();
  const other = disk.syncFolder('chunks');
  const { onLate, reading } = readChunk(disk);
  await vi.advanceTimersByTimeAsync(490);
  await end();
  await other;
  await vi.advanceTimersByTimeAsync(490);
  expect([onLate.mock.calls.length, disk.isSlow]).toEqual([0, false]);
  await vi.advanceTimersByTimeAsync(10);
  expect([onLate.mock.calls.length, disk.isSlow]).toEqual([1, true]);
  await end();
  await reading;
});

test('what has come while the process was busy elsewhere is not late', async () => {
  vi.useRealTimers();
  const inner = new MemoryDisk('disk1');
  inner.read = () => readFile(import.meta.filename);
  const disk = patient(inner, { late: 100 });
  const { onLate, reading } = readChunk(disk);
  await new Promise((resolve) => setImmediate(resolve));
  // Nothing else runs meanwhile, as while a consumer computes.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 150);
  await reading;
  expect([onLate.mock.calls.length, disk.isSlow]).toEqual([0, false]);
});
