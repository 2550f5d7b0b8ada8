import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import type { ObjectStore } from '../../../src/index.ts';
import {
  chunkOn,
  collect,
  diskNames,
  failure,
  keysOf,
  metaCopies,
  MIB,
  newStore,
  read,
  takeAway,
  tree,
} from '../../support/store.ts';
import { seededBytes } from '../../support/bytes.ts';

/** Ways for `disk2` of five not to be the disk that the store means; gives the disks that are then offline. */
const HARM: Record<string, { status: string; harm: (store: ObjectStore) => Promise<string[]> }> = {
  'whose folder is gone': {
    status: 'missing',
    harm: (store) => {
      takeAway(store, 'disk2');
      return Promise.resolve(['disk2']);
    },
  },
  'whose link leads nowhere': {
    status: 'missing',
    harm: (store) => {
      takeAway(store, 'disk2');
      fs.symlinkSync('/nowhere/at/all', path.join(store.root, 'disk2'));
      return Promise.resolve(['disk2']);
    },
  },
  'whose folder is empty, as an unmounted one is': {
    status: 'empty',
    harm: (store) => {
      takeAway(store, 'disk2');
      fs.mkdirSync(path.join(store.root, 'disk2'));
      return Promise.resolve(['disk2']);
    },
  },
  'that holds everything but its mark': {
    status: 'unmarked',
    harm: (store) => {
      fs.rmSync(path.join(store.root, 'disk2', 'disk.json'));
      return Promise.resolve(['disk2']);
    },
  },
  'that has changed places with disk4': {
    status: 'swapped',
    harm: (store) => {
      swap(store, 'disk2', 'disk4');
      return Promise.resolve(['disk2', 'disk4']);
    },
  },
  'that is a copy of disk1': {
    status: 'swapped',
    harm: (store) => {
      takeAway(store, 'disk2');
      fs.cpSync(path.join(store.root, 'disk1'), path.join(store.root, 'disk2'), { recursive: true });
      return Promise.resolve(['disk2']);
    },
  },
  'that is disk2 of another store, with the same bucket and key': {
    status: 'foreign',
    harm: async (store) => {
      const other = await newStore(5);
      for (const key of ['0', '1', '2', 'key', 'new']) await other.put('bucket', key, seededBytes(6 * MIB, 'foreign'));
      takeAway(store, 'disk2');
      fs.cpSync(path.join(other.root, 'disk2'), path.join(store.root, 'disk2'), { recursive: true });
      return ['disk2'];
    },
  },
  'whose mark is no JSON': {
    status: 'unreadable',
    harm: (store) => {
      fs.writeFileSync(path.join(store.root, 'disk2', 'disk.json'), 'disk2');
      return Promise.resolve(['disk2']);
    },
  },
  'whose mark is of a later format': {
    status: 'unreadable',
    harm: (store) => {
      const file = path.join(store.root, 'disk2', 'disk.json');
      fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('"format": 1', '"format": 2'));
      return Promise.resolve(['disk2']);
    },
  },
  'that is a file': {
    status: 'unreadable',
    harm: (store) => {
      takeAway(store, 'disk2');
      fs.writeFileSync(path.join(store.root, 'disk2'), 'not a disk');
      return Promise.resolve(['disk2']);
    },
  },
};

function swap(store: ObjectStore, one: string, other: string): void {
  const [a, b, between] = [one, other, 'between'].map((name) => path.join(store.root, name));
  fs.renameSync(a ?? '', between ?? '');
  fs.renameSync(b ?? '', a ?? '');
  fs.renameSync(between ?? '', b ?? '');
}

/** What lies on the given disks, with inodes and times. */
function stampsOf(store: ObjectStore, disks: string[]): string[] {
  return tree(store.root, { stamps: true }).filter((line) =>
    disks.some((disk) => line.startsWith(`${disk} `) || line.startsWith(`${disk}/`)),
  );
}

test.each(Object.keys(HARM))(
  'a disk %s is offline and named so, nothing ever touches it, and the store works on',
  async (kind) => {
    const store = await newStore(5);
    for (let index = 0; index < 15; index++) await store.put('bucket', String(index), Buffer.from(`object ${index}`));
    await store.put('bucket', 'key', seededBytes(6 * MIB, 'old'));
    const { status, harm } = HARM[kind] ?? { status: '', harm: () => Promise.resolve([]) };
    const gone = await harm(store);
    const before = stampsOf(store, gone);

    const states = await store.disks();
    expect(
      states.filter(({ state }) => state.status !== 'online').map(({ disk, state }) => [disk, state.status]),
    ).toEqual(gone.map((disk) => [disk, status]));

    // Every kind of operation, on what is there and what is new.
    const bytes = seededBytes(6 * MIB, 'new');
    for (const key of ['key', 'new', 'a/b/c']) {
      const { meta, offline } = await store.put('bucket', key, bytes);
      expect(offline.map(({ disk, state }) => [disk, state.status])).toEqual(gone.map((disk) => [disk, status]));
      expect(meta.chunks.filter((chunk) => gone.includes(chunk.disk))).toEqual([]);
      expect(bytes.equals(await read(store, key))).toBe(true);
    }
    for (let index = 0; index < 15; index++) {
      const key = String(index);
      const disk = (await store.head('bucket', key)).chunks[0]?.disk ?? '';
      if (gone.includes(disk)) {
        const error = await failure(store.get('bucket', key));
        expect(error).toMatchObject({ code: 'CHUNK_UNAVAILABLE', disk, chunk: 0 });
        expect(error.message).toContain(status);
      } else {
        expect((await read(store, key)).toString()).toBe(`object ${key}`);
      }
    }
    for (const key of ['key', '0', '1', '2']) await store.delete('bucket', key);
    await store.createBucket('second');
    await store.put('second', 'key', bytes);
    await store.delete('second', 'key');
    await store.deleteBucket('second');
    expect((await store.gc()).kept[0]).toContain(status);
    expect((await keysOf(store)).length).toBe(14);
    expect((await store.listBuckets()).map(({ bucket }) => bucket)).toEqual(['bucket']);

    expect(stampsOf(store, gone)).toEqual(before);
  },
);

test('what happens to a disk while the store object is open is seen by the next operation', async () => {
  const store = await newStore(5);
  const online = async (): Promise<string[]> =>
    (await store.disks()).filter(({ state }) => state.status === 'online').map(({ disk }) => disk);
  await store.put('bucket', 'key', Buffer.from('1'));
  swap(store, 'disk1', 'disk5');
  expect(await online()).toEqual(['disk2', 'disk3', 'disk4']);
  expect((await store.put('bucket', 'key', Buffer.from('2'))).offline.map(({ disk }) => disk)).toEqual([
    'disk1',
    'disk5',
  ]);
  swap(store, 'disk1', 'disk5');
  expect(await online()).toEqual(diskNames(store));
  const back = takeAway(store, 'disk3');
  expect(await online()).toEqual(['disk1', 'disk2', 'disk4', 'disk5']);
  back();
  expect((await store.put('bucket', 'key', Buffer.from('3'))).offline).toEqual([]);
  expect((await read(store, 'key')).toString()).toBe('3');
});

test.each([
  { disks: 1, write: 1, reads: 1 },
  { disks: 2, write: 2, reads: 1 },
  { disks: 3, write: 2, reads: 2 },
  { disks: 4, write: 3, reads: 2 },
  { disks: 5, write: 3, reads: 3 },
])(
  'of $disks disks a write needs $write and a read $reads, and says how many there were',
  async ({ disks, write, reads }) => {
    const store = await newStore(disks);
    await store.put('bucket', 'empty', Buffer.alloc(0));
    for (let left = disks - 1; left >= 0; left--) {
      takeAway(store, `disk${left + 1}`);
      const before = tree(store.root);
      if (left < write) {
        const writes = [
          store.put('bucket', 'x', Buffer.from('x')),
          store.delete('bucket', 'empty'),
          store.createBucket('second'),
          store.ensureBucket('second'),
          store.deleteBucket('bucket'),
          store.gc(),
        ];
        for (const error of await Promise.all(writes.map(failure))) {
          expect(error).toMatchObject({ code: 'TOO_FEW_DISKS_TO_WRITE', expected: write, found: left });
          expect(error.message).toContain(`"disk${disks}" is missing`);
        }
      } else {
        await store.put('bucket', 'empty', Buffer.alloc(0));
        continue;
      }
      if (left < reads) {
        const operations = [
          store.head('bucket', 'empty'),
          store.get('bucket', 'empty'),
          store.list('bucket').next(),
          store.listBuckets(),
        ];
        for (const error of await Promise.all(operations.map(failure))) {
          expect(error).toMatchObject({ code: 'TOO_FEW_DISKS_TO_READ', expected: reads, found: left });
        }
      } else {
        expect((await read(store, 'empty')).length).toBe(0);
        expect(await keysOf(store)).toEqual(['empty']);
      }
      const stale = { allowStale: true };
      if (left > 0) {
        expect((await store.head('bucket', 'empty', stale)).size).toBe(0);
        expect((await collect((await store.get('bucket', 'empty', stale)).body)).length).toBe(0);
        expect((await store.list('bucket', stale).next()).value).toMatchObject({ key: 'empty' });
        expect((await store.listBuckets(stale)).length).toBe(1);
      } else {
        expect((await failure(store.head('bucket', 'empty', stale))).code).toBe('TOO_FEW_DISKS_TO_READ');
      }
      expect(tree(store.root)).toEqual(before);
    }
  },
);

test('a range is read as long as the disks of its own chunks are there', async () => {
  const store = await newStore();
  const bytes = seededBytes(6 * MIB, 'range');
  const { meta } = await store.put('bucket', 'key', bytes);
  const away = chunkOn(meta, 'disk2');
  takeAway(store, 'disk2');
  const there = (away + 1) * MIB;
  expect(
    bytes
      .subarray(there, there + 2 * MIB)
      .equals(await read(store, 'key', { range: { from: there, to: there + 2 * MIB - 1 } })),
  ).toBe(true);
  const error = await failure(store.get('bucket', 'key'));
  expect(error).toMatchObject({ code: 'CHUNK_UNAVAILABLE', disk: 'disk2', chunk: away });
});

test('a disk that goes during an upload is named as failed; the upload ends on the others', async () => {
  const store = await newStore(3);
  let gone = false;
  const onBytes = (): void => {
    if (!gone) takeAway(store, 'disk3');
    gone = true;
  };
  const bytes = seededBytes(12 * MIB, 'going');
  const outcome = await store.put('bucket', 'key', bytes, { onBytes }).then(
    ({ meta, failed }) => ({ meta, failed }),
    (error: unknown) => error,
  );
  if (outcome instanceof Error) {
    expect(outcome).toMatchObject({ code: 'TOO_FEW_DISKS_TO_WRITE', details: { disk: 'disk3' } });
    expect(metaCopies(store, 'key')).toEqual([]);
  } else {
    expect(outcome).toMatchObject({ failed: [{ disk: 'disk3' }] });
    expect(metaCopies(store, 'key').length).toBe(2);
  }
});
