import { expect, test } from 'vitest';
import { ObjectStore } from '../../src/index.ts';
import { MIB, read } from '../support/store.ts';
import { tempFolder } from '../support/temp.ts';

test('moves of a large object are recorded batch by batch, and each batch only adds to the one before', async () => {
  const store = await ObjectStore.init(`${tempFolder()}/store`, { disks: 3 });
  await store.createBucket('bucket');
  const bytes = Buffer.alloc(300 * MIB + 1);
  for (let chunk = 0; chunk <= 300; chunk++) bytes[chunk * MIB] = chunk;
  const before = (await store.put('bucket', 'key', bytes, { durability: 'none' })).meta;
  const report = await store.drainDisk('disk2');
  const meta = await store.head('bucket', 'key');
  expect(report).toMatchObject({ moved: before.chunks.filter(({ disk }) => disk === 'disk2').length, failed: [] });
  expect(meta.revision).toBe(2);
  expect(meta.version).toBe(before.version);
  expect(meta.chunks.filter(({ disk }) => disk === 'disk2')).toEqual([]);
  expect(meta.chunks.map(({ disk, ...chunk }) => chunk)).toEqual(before.chunks.map(({ disk, ...chunk }) => chunk));
  expect((await read(store, 'key')).equals(bytes)).toBe(true);
  expect(await store.verify()).toMatchObject({ objects: 1, whole: 1, lost: 0 });
  await store.removeDisk('disk2');
  expect(await store.verify()).toMatchObject({ whole: 1, degraded: 0 });
});
