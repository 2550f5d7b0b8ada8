import * as path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ObjectStore } from '../../src/index.ts';
import { countCopies } from '../faults/crash-state.ts';
import { compiledLibrary } from '../support/processes.ts';
import { tempFolder } from '../support/temp.ts';
import { compileWorker } from './compile-worker.ts';
import { Worker } from './fleet.ts';

const target = { bucket: 'bucket', key: 'key' };
const DISKS = ['disk1', 'disk2', 'disk3', 'disk4'];

let root: string;
let worker: Worker;
let other: Worker;

beforeEach(async () => {
  const folder = tempFolder();
  root = path.join(folder, 'store');
  const store = await ObjectStore.init(root, { disks: DISKS.length, redundancy: '2+1', durability: 'none' });
  await store.createBucket(target.bucket);
  const program = { script: compileWorker(path.join(folder, 'program')), library: compiledLibrary(), root };
  [worker, other] = [new Worker(program), new Worker(program)];
});

afterEach(async () => {
  await Promise.all([worker.kill(), other.kill()]);
});

async function putVersion(seed: number): Promise<string> {
  const outcome = await worker.do({ do: 'put', ...target, seed });
  return outcome === 'killed' ? '' : (outcome.version ?? '');
}

test.each([1, 2, 3])('a delete dies exactly when %i metas are gone', async (after) => {
  const version = await putVersion(1);
  expect(await worker.do({ do: 'delete', ...target, death: { after } })).toBe('killed');
  expect(countCopies(root, 'bucket', 'key', version)).toBe(DISKS.length - after);
});

test('a put dies exactly when the disks that it was told of have its meta', async () => {
  const version = await putVersion(1);
  expect(await worker.do({ do: 'put', ...target, seed: 2, death: { after: 2, disks: ['disk2', 'disk4'] } })).toBe(
    'killed',
  );
  expect(countCopies(root, 'bucket', 'key', version)).toBe(2);
  expect(await putVersion(3)).not.toBe('');
});

test('an upload that is held back has begun, and is not there before it is released', async () => {
  const slow = worker.do({ do: 'put', ...target, seed: 1, hold: 0 });
  expect(await worker.do({ do: 'await hold', seed: 1 })).toEqual({});
  expect(await other.do({ do: 'get', ...target })).toMatchObject({ error: { code: 'NO_SUCH_KEY' } });
  expect(await worker.do({ do: 'release', seed: 1 })).toEqual({});
  expect(await slow).toMatchObject({ isWeak: false });
  expect(await other.do({ do: 'get', ...target })).toMatchObject({ seed: 1 });
});
