import { cpSync, mkdirSync } from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { ObjectStore } from '../../src/index.ts';
import { seededBytes } from '../support/bytes.ts';
import { tempFolder } from '../support/temp.ts';
import { BUCKET } from './crash-scenarios.ts';
import { readObject } from './crash-state.ts';

const OLD = seededBytes(2000, 'old');
const NEW = seededBytes(3000, 'new');

test.each(['disk1', 'disk2', 'disk3'])(
  'after an overwrite that died with its meta on %s alone, head, get and list show one version',
  async (disk) => {
    const root = path.join(tempFolder(), 'store');
    const store = await ObjectStore.init(root);
    await store.createBucket(BUCKET);
    await store.put(BUCKET, 'demo.txt', OLD);
    const before = path.join(root, '..', 'before');
    mkdirSync(before);
    for (const name of ['disk1', 'disk2', 'disk3'])
      cpSync(path.join(root, name), path.join(before, name), { recursive: true });
    await store.put(BUCKET, 'demo.txt', NEW);
    for (const name of ['disk1', 'disk2', 'disk3']) {
      if (name !== disk)
        cpSync(path.join(before, name, 'buckets'), path.join(root, name, 'buckets'), { recursive: true });
      cpSync(path.join(before, name, 'chunks'), path.join(root, name, 'chunks'), { recursive: true });
    }
    expect(await readObject(root, BUCKET, 'demo.txt')).toEqual(NEW);
  },
);
