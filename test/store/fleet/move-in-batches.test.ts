import { expect, test } from 'vitest';
import type { Disk } from '../../../src/disks/disk.ts';
import { ObjectStore } from '../../../src/index.ts';
import { setDraining } from '../../../src/store/fleet/drain.ts';
import { moveAll } from '../../../src/store/fleet/move.ts';
import { Relocation } from '../../../src/store/health/relocation.ts';
import { contextOf } from '../../support/context.ts';
import { MIB, read } from '../../support/store.ts';
import { tempFolder } from '../../support/temp.ts';

test('moves of a large object are recorded batch by batch, and each batch only adds to the one before', async () => {
  const store = await ObjectStore.init(`${tempFolder()}/store`, { disks: 3 });
  await store.createBucket('bucket');
  const bytes = Buffer.alloc(300 * MIB + 1);
  for (let chunk = 0; chunk <= 300; chunk++) bytes[chunk * MIB] = chunk;
  const before = (await store.put('bucket', 'key', bytes, { durability: 'none' })).meta;
  const revisions: unknown[] = [];
  const context = await contextOf(store, (disk) => (disk.name === 'disk1' ? watching(disk, revisions) : disk));
  await setDraining(context, 'disk2', false, {});
  const report = await moveAll(context, {}, (view) => Relocation.of(context, view));
  const meta = await store.head('bucket', 'key');
  expect(report).toMatchObject({ moved: before.chunks.filter(({ disk }) => disk === 'disk2').length, failed: [] });
  expect(revisions).toHaveLength(2);
  expect([...revisions].sort()).toEqual(revisions);
  expect(meta.revision).toBe(revisions[1]);
  expect(meta.version).toBe(before.version);
  expect(meta.chunks.filter(({ disk }) => disk === 'disk2')).toEqual([]);
  expect(meta.chunks.map(({ disk, ...chunk }) => chunk)).toEqual(before.chunks.map(({ disk, ...chunk }) => chunk));
  expect((await read(store, 'key')).equals(bytes)).toBe(true);
  expect(await store.verify()).toMatchObject({ objects: 1, whole: 1, lost: 0 });
  await store.removeDisk('disk2');
  expect(await store.verify()).toMatchObject({ whole: 1, degraded: 0 });
});

/** The disk, with the revisions of the key's metas that are staged on it. */
function watching(disk: Disk, revisions: unknown[]): Disk {
  const stage = disk.stage.bind(disk);
  disk.stage = (path, bytes, options) => {
    if (path.endsWith('/key.meta.json'))
      revisions.push((JSON.parse(Buffer.from(bytes).toString()) as { revision?: string }).revision);
    return stage(path, bytes, options);
  };
  return disk;
}
