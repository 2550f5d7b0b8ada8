import * as path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { ObjectStore } from '../../src/index.ts';
import { tempFolder } from '../support/temp.ts';
import { healAll } from './care-recovery.ts';
import { whyNotWhole } from './races-content.ts';
import { Crew, raceSeed, seedsFrom } from './races-crew.ts';

const BUCKET = 'bucket';
const KEYS = ['a', 'b', 'deep/c'];

test.each([
  { disks: 3, redundancy: '1+1' },
  { disks: 4, redundancy: '2+1' },
])(
  'with $redundancy on $disks disks: heal, rebalance, and disks that come and go, beside uploads, downloads, deletes and gc',
  async ({ disks, redundancy }) => {
    const seed = raceSeed();
    const folder = tempFolder();
    const root = path.join(folder, 'store');
    const store = await ObjectStore.init(root, { disks, redundancy, durability: 'none' });
    await store.createBucket(BUCKET);
    const place = { root, bucket: BUCKET };
    const stay = KEYS.map((key) => `stay/${key}`);
    const crew = Crew.start(folder, 9);
    await crew.run([{ ...place, do: 'write', keys: stay, seeds: seedsFrom(seed, stay.length) }]);
    const churned = Array.from({ length: 6 }, (_, index) => `churn/${index}`);
    const { meanwhile } = await crew.run(
      [
        { ...place, do: 'write', keys: KEYS, seeds: seedsFrom(seed + 1000, 9), verify: true, beside: true },
        { ...place, do: 'write', keys: KEYS, seeds: seedsFrom(seed + 2000, 9), verify: true, beside: true },
        { ...place, do: 'churn', keys: churned, seeds: seedsFrom(seed + 3000, churned.length), beside: true },
      ],
      [
        { ...place, do: 'read', keys: stay, ordered: true },
        { ...place, do: 'read', keys: [...KEYS, ...churned] },
        { ...place, do: 'gc', beside: true },
        { ...place, do: 'care', what: 'heal' },
        { ...place, do: 'care', what: 'rebalance' },
        { ...place, do: 'change disks' },
      ],
    );
    expect(meanwhile.map(({ done }) => done > 0)).toEqual(meanwhile.map(() => true));
    expect(meanwhile[0]?.missed).toBe(0);

    const after = await ObjectStore.open(root);
    await healAll(after);
    const left = [...stay, ...KEYS, churned.at(-1) ?? ''].sort();
    const listed: string[] = [];
    for await (const { key } of after.list(BUCKET)) listed.push(key);
    expect(listed.sort()).toEqual(left);
    for (const key of left) {
      const { meta, body } = await after.get(BUCKET, key);
      expect(whyNotWhole(await buffer(body), meta.contentType)).toBeUndefined();
      expect(meta.redundancy).toBe(redundancy);
    }
  },
);
