import { rmSync } from 'node:fs';
import * as path from 'node:path';
import { test } from 'vitest';
import { ObjectStore } from '../../src/index.ts';
import { seededBytes } from '../support/bytes.ts';
import { tempFolder } from '../support/temp.ts';
import { healAll } from './care-recovery.ts';
import { expectSame } from './crash-recovery.ts';
import { readObject } from './crash-state.ts';

const BUCKET = 'my-bucket';
const BYTES = seededBytes(1_500_000, 'bytes');

test.each([['chunks'], ['buckets'], ['tmp'], ['chunks', 'buckets', 'tmp']])(
  'a disk whose mark is there, but not all of its folders, is healed (%j)',
  async (...lost) => {
    const root = path.join(tempFolder(), 'store');
    const store = await ObjectStore.init(root, { disks: 3, redundancy: '2+1', durability: 'none' });
    await store.createBucket(BUCKET);
    for (const key of ['a', 'deep/b']) await store.put(BUCKET, key, BYTES);
    for (const folder of lost) rmSync(path.join(root, 'disk2', folder), { recursive: true });
    await store.put(BUCKET, 'c', BYTES);
    for (const key of ['a', 'deep/b', 'c']) expectSame(await readObject(root, BUCKET, key), BYTES);
    await healAll(await ObjectStore.open(root));
    for (const key of ['a', 'deep/b', 'c']) expectSame(await readObject(root, BUCKET, key), BYTES);
  },
);
