import * as path from 'node:path';
import { expect, test } from 'vitest';
import { ObjectStore } from '../../src/index.ts';
import { tempFolder } from '../support/temp.ts';
import { findDanglingMetas, findUntidy, readObject } from './crash-state.ts';
import { NOTHING_TO_DO } from '../support/gc.ts';
import { makeContent } from './races-content.ts';
import { Crew, raceSeed, seedsFrom } from './races-crew.ts';

const BUCKET = 'bucket';

async function newStore(): Promise<{ folder: string; store: ObjectStore; place: { root: string; bucket: string } }> {
  const folder = tempFolder();
  const root = path.join(folder, 'store');
  const store = await ObjectStore.init(root);
  await store.createBucket(BUCKET);
  return { folder, store, place: { root, bucket: BUCKET } };
}

/** Exactly these objects are there, the same on all disks, and gc finds no fault with them. */
async function expectObjects(store: ObjectStore, expected: ReadonlyMap<string, number>): Promise<void> {
  const listed: string[] = [];
  for await (const { key } of store.list(BUCKET)) listed.push(key);
  expect(listed).toEqual([...expected.keys()].sort());
  for (const [key, seed] of expected)
    expect((await readObject(store.root, BUCKET, key))?.equals(makeContent(seed)), key).toBe(true);
  expect(findDanglingMetas(store.root)).toEqual([]);
  expect(await store.gc()).toMatchObject({ leftoverChunks: 0, stagedFiles: 0, settled: 0, kept: [] });
  expect(findUntidy(store.root)).toEqual([]);
  expect(await store.gc()).toEqual(NOTHING_TO_DO);
}

test('uploads into nested folders succeed on all disks while deletes and gc remove those folders as empty', async () => {
  const seed = raceSeed();
  const { folder, store, place } = await newStore();
  const names = ['w1', 'w2', 'w3', 'w4'];
  const rounds = 40;
  const keysOf = (name: string): string[] =>
    Array.from({ length: rounds }, (_, round) => `a/b/c/${round % 2 === 0 ? 'd/e/' : ''}${name}-${round}`);
  const crew = Crew.start(folder, 6);
  // Even seeds: small objects, so that folders come and go quickly.
  const seedsOf = (index: number): number[] => seedsFrom(0, rounds).map((round) => 2 * (seed + index * 1000 + round));
  const { done, meanwhile } = await crew.run(
    names.map((name, index) => ({ ...place, do: 'churn', keys: keysOf(name), seeds: seedsOf(index) })),
    [
      { ...place, do: 'gc' },
      { ...place, do: 'list', keys: names.flatMap(keysOf) },
    ],
  );
  expect(done.map((answer) => answer.done)).toEqual(names.map(() => rounds));
  for (const answer of meanwhile) expect(answer.done).toBeGreaterThan(0);
  const last = names.map((name, index) => [keysOf(name).at(-1) ?? '', seedsOf(index).at(-1) ?? 0] as const);
  await expectObjects(store, new Map(last));
});

test('gc that runs all the time, in two processes, removes nothing of uploads that are under way or done', async () => {
  const seed = raceSeed();
  const { folder, store, place } = await newStore();
  const crew = Crew.start(folder, 5);
  const names = ['w1', 'w2', 'w3'];
  const count = 20;
  const keysOf = (name: string): string[] => Array.from({ length: count }, (_, index) => `${name}/${index}`);
  const { meanwhile } = await crew.run(
    names.map((name, index) => ({
      ...place,
      do: 'write',
      keys: keysOf(name),
      seeds: seedsFrom(seed + index * 1000, count),
      verify: true,
    })),
    [
      { ...place, do: 'gc' },
      { ...place, do: 'gc' },
    ],
  );
  for (const answer of meanwhile) expect(answer.done).toBeGreaterThan(1);
  const expected = names.flatMap((name, index) =>
    keysOf(name).map((key, number) => [key, seed + index * 1000 + number] as const),
  );
  await expectObjects(store, new Map(expected));
});
