import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import type { Disk } from '../../../src/disks/disk.ts';
import { deleteObject } from '../../../src/store/objects/delete.ts';
import { gc } from '../../../src/store/health/gc.ts';
import { contextOf } from '../../support/context.ts';
import { failure, filesIn, newStore, read, takeAway } from '../../support/store.ts';

/** The disk, which is away while it is asked to do one thing. */
function awayDuring(
  root: string,
  name: string,
  isIt: (operation: 'list' | 'remove', path: string) => boolean,
): (disk: Disk) => Disk {
  return (disk) => {
    if (disk.name !== name) return disk;
    const [list, remove] = [disk.list.bind(disk), disk.remove.bind(disk)];
    const during = async <T>(operation: 'list' | 'remove', folder: string, work: () => Promise<T>): Promise<T> => {
      if (!isIt(operation, folder)) return work();
      const back = takeAway({ root } as never, name);
      try {
        return await work();
      } finally {
        back();
      }
    };
    disk.list = (folder) => during('list', folder, () => list(folder));
    disk.remove = (file, options) => during('remove', file, () => remove(file, options));
    return disk;
  };
}

test.each([1, 3])(
  'gc keeps all chunks where a disk of %i was away just while its buckets were listed',
  async (disks) => {
    const store = await newStore(disks);
    await store.put('bucket', 'key', Buffer.from('x'));
    const context = await contextOf(
      store,
      awayDuring(store.root, 'disk1', (operation, folder) => operation === 'list' && folder === 'buckets'),
    );
    const report = await gc(context, {});
    expect(report).toMatchObject({ leftoverChunks: 0, kept: [expect.stringContaining('disk1')] });
    expect((await read(store, 'key')).toString()).toBe('x');
  },
);

test('a delete is whole although a disk was away just while its copy was unlinked', async () => {
  const store = await newStore(3, { redundancy: '1+1' });
  await store.put('bucket', 'key', Buffer.from('x'));
  const context = await contextOf(
    store,
    awayDuring(store.root, 'disk3', (operation, file) => operation === 'remove' && file.endsWith('.meta.json')),
  );
  await deleteObject(context, 'bucket', 'key', {});
  expect((await failure(store.head('bucket', 'key'))).code).toBe('NO_SUCH_KEY');
  expect(await store.verify()).toMatchObject({ objects: 0 });
});

test('a disk that has lost its folder of buckets has not answered, and heal takes nothing for deleted that only this disk knew', async () => {
  const store = await newStore(1);
  await store.put('bucket', 'key', Buffer.from('x'));
  const buckets = path.join(store.root, 'disk1/buckets');
  fs.renameSync(buckets, path.join(path.dirname(store.root), 'away'));
  expect((await failure(store.head('bucket', 'key'))).code).toBe('TOO_FEW_DISKS_TO_READ');
  await store.heal().catch(() => undefined);
  await store.gc().catch(() => undefined);
  expect(filesIn(path.join(store.root, 'disk1/chunks'))).toHaveLength(1);
  fs.rmSync(buckets, { recursive: true, force: true });
  fs.renameSync(path.join(path.dirname(store.root), 'away'), buckets);
  expect((await read(store, 'key')).toString()).toBe('x');
});
