import * as path from 'node:path';
import { expect, test } from 'vitest';
import { ObjectStore } from '../../src/index.ts';
import { tempFolder } from '../support/temp.ts';
import { findUntidy, readObject } from './crash-state.ts';
import { NOTHING_TO_DO } from '../support/gc.ts';
import { makeContent } from './races-content.ts';
import { Crew, raceSeed } from './races-crew.ts';

const ROUNDS = 60;

test('deleting a bucket while objects are put into it: either it is gone and every put failed, or it stays with every object', async () => {
  const seed = raceSeed();
  const folder = tempFolder();
  const root = path.join(folder, 'store');
  const store = await ObjectStore.init(root);
  const crew = Crew.start(folder, 4);
  let gone = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const place = { root, bucket: `bucket-${round}` };
    await store.createBucket(place.bucket);
    const puts = ['a', 'b/c'].map((key, index) => ({ key, seed: 2 * (seed + round * 10 + index) }));
    const { done } = await crew.run([
      ...puts.map((put) => ({ ...place, ...put, do: 'put' as const })),
      { ...place, do: 'remove bucket', after: round % 12 },
      { ...place, do: 'remove bucket', after: round % 12 },
    ]);
    const [putA, putB, ...removals] = done;
    const removed = removals.reduce((sum, answer) => sum + answer.done, 0);
    const outcome = { a: putA?.code ?? putA?.done, b: putB?.code ?? putB?.done, removed };
    if (removed > 0) {
      gone++;
      expect(outcome).toEqual({ a: 'NO_SUCH_BUCKET', b: 'NO_SUCH_BUCKET', removed: 1 });
      await expect(store.head(place.bucket, 'a')).rejects.toMatchObject({ code: 'NO_SUCH_BUCKET' });
    } else {
      expect(outcome).toEqual({ a: 1, b: 1, removed: 0 });
      for (const put of puts)
        expect((await readObject(root, place.bucket, put.key))?.equals(makeContent(put.seed))).toBe(true);
    }
  }
  console.log(`of ${ROUNDS} buckets, ${gone} went and ${ROUNDS - gone} stayed`);
  expect(gone).toBeGreaterThan(0);
  expect(gone).toBeLessThan(ROUNDS);
  expect(await store.gc()).toEqual(NOTHING_TO_DO);
  expect(findUntidy(root)).toEqual([]);
});

test('a bucket that is created and deleted by many processes at once is there or not, on all disks alike', async () => {
  const folder = tempFolder();
  const root = path.join(folder, 'store');
  const store = await ObjectStore.init(root);
  const crew = Crew.start(folder, 6);
  const place = { root, bucket: 'my-bucket' };
  for (let round = 0; round < 20; round++) {
    await store.ensureBucket(place.bucket);
    const { done } = await crew.run([1, 2, 3, 4, 5, 6].map(() => ({ ...place, do: 'remove bucket', after: 0 })));
    expect(done.map((answer) => answer.code ?? 'removed').sort()).toEqual([
      ...Array.from({ length: 5 }, () => 'NO_SUCH_BUCKET'),
      'removed',
    ]);
    expect(findUntidy(root)).toEqual([]);
  }
});
