import * as path from 'node:path';
import { expect, test } from 'vitest';
import { ObjectStore } from '../../src/index.ts';
import { tempFolder } from '../support/temp.ts';
import { findDanglingMetas, findUntidy } from './crash-state.ts';
import { NOTHING_TO_DO } from '../support/gc.ts';
import { Crew, raceSeed, seedsFrom } from './races-crew.ts';

const BUCKET = 'bucket';

async function newStore(): Promise<{
  folder: string;
  root: string;
  store: ObjectStore;
  place: { root: string; bucket: string };
}> {
  const folder = tempFolder();
  const root = path.join(folder, 'store');
  const store = await ObjectStore.init(root);
  await store.createBucket(BUCKET);
  return { folder, root, store, place: { root, bucket: BUCKET } };
}

/** What differs between the disks' metas; chunks that somebody was reading may still be there. */
function findDifferences(root: string): string[] {
  return findUntidy(root).filter((problem) => !problem.startsWith('leftover'));
}

async function expectTidyAfterGc(store: ObjectStore): Promise<void> {
  expect(await store.gc()).toMatchObject({ settled: 0, stagedFiles: 0, inUse: 0, kept: [] });
  expect(findUntidy(store.root)).toEqual([]);
  expect(findDanglingMetas(store.root)).toEqual([]);
  expect(await store.gc()).toEqual(NOTHING_TO_DO);
}

test('many processes write one key: every read is one whole version and never an older one than before, and all disks end up the same', async () => {
  const seed = raceSeed();
  const { folder, root, store, place } = await newStore();
  const crew = Crew.start(folder, 7);
  await crew.run([{ ...place, do: 'put', key: 'k', seed }]);
  const { done, meanwhile } = await crew.run(
    [1, 2, 3].map((number) => ({ ...place, do: 'write', keys: ['k'], seeds: seedsFrom(seed + number * 1000, 25) })),
    [
      { ...place, do: 'read', keys: ['k'], ordered: true },
      { ...place, do: 'read', keys: ['k'], ordered: true },
      { ...place, do: 'read', keys: ['k'], ordered: true, file: path.join(folder, 'read') },
      { ...place, do: 'list', keys: ['k'] },
    ],
  );
  expect(done.map((answer) => answer.done)).toEqual([25, 25, 25]);
  for (const answer of meanwhile) {
    expect(answer.done).toBeGreaterThan(5);
    expect(answer.missed).toBe(0);
  }
  expect(findDifferences(root)).toEqual([]);
  await crew.run([{ ...place, do: 'write', keys: ['k'], seeds: [seed], verify: true }]);
  await expectTidyAfterGc(store);
});

test('many processes write, read, list and delete the same keys beside gc: every read is one whole version or none, and all disks end up the same', async () => {
  const seed = raceSeed();
  const { folder, root, store, place } = await newStore();
  const keys = ['k', 'k/below'];
  const crew = Crew.start(folder, 8);
  const { meanwhile } = await crew.run(
    [1, 2, 3].map((number) => ({ ...place, do: 'write', keys, seeds: seedsFrom(seed + number * 1000, 25) })),
    [
      { ...place, do: 'read', keys },
      { ...place, do: 'read', keys, file: path.join(folder, 'read') },
      { ...place, do: 'list', keys },
      { ...place, do: 'delete', keys },
      { ...place, do: 'gc' },
    ],
  );
  for (const answer of meanwhile) expect(answer.done).toBeGreaterThan(0);
  expect(findDifferences(root)).toEqual([]);
  await expectTidyAfterGc(store);
});
