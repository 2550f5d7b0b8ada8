import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { ObjectStore } from '../../../src/index.ts';
import { seededBytes } from '../../support/bytes.ts';
import { NOTHING_TO_DO } from '../../support/gc.ts';
import { expectAll, expectDistinct, expectWhole, shardsIn } from '../../support/shards.ts';
import { diskNames, failure, keysOf, metaCopies, MIB, newStore, takeAway, tree } from '../../support/store.ts';
import { tempFolder } from '../../support/temp.ts';

async function filled(
  disks: number,
  redundancy: string,
): Promise<{ store: ObjectStore; objects: Map<string, Buffer> }> {
  const store = await newStore(disks, { redundancy });
  const objects = new Map([0, 1, MIB + 1, 3 * MIB].map((size, index) => [`a/key ${index}`, seededBytes(size, index)]));
  for (const [key, bytes] of objects) await store.put('bucket', key, bytes);
  return { store, objects };
}

test.each(['in the store', 'elsewhere, linked', 'an empty folder that is there'])(
  'a disk %s is used at once, has every meta, and counts',
  async (where) => {
    const { store, objects } = await filled(3, '1+1');
    await store.createBucket('second', { redundancy: '2+1' });
    const folder = where === 'in the store' ? path.join(store.root, 'disk4') : path.join(tempFolder(), 'new');
    if (where.startsWith('an empty')) fs.mkdirSync(folder);
    await store.addDisk('disk4', folder);
    expect(store.document.disks[3]).toMatchObject({ name: 'disk4', path: where === 'in the store' ? 'disk4' : folder });
    expect(store.document.disks.map(({ role }) => role)).toEqual([undefined, undefined, undefined, undefined]);
    if (where !== 'in the store') expect(fs.readlinkSync(path.join(store.root, 'disk4'))).toBe(folder);
    for (const key of objects.keys()) expect(metaCopies(store, key).length).toBe(4);
    expect(fs.existsSync(path.join(store.root, 'disk4/buckets/second/.bucket.json'))).toBe(true);
    await expectWhole(store);

    // Wider than before, and spread over all four.
    const used = new Set<string>();
    for (let index = 0; index < 12; index++) {
      const bytes = seededBytes(2 * MIB, `new ${index}`);
      const { meta } = await store.put('bucket', `new ${index}`, bytes, { redundancy: '2+2' });
      objects.set(`new ${index}`, bytes);
      expectDistinct(meta);
      for (const { disk } of shardsIn(meta)) used.add(disk);
    }
    expect([...used].sort()).toEqual(diskNames(store));
    // Two of four may be away now, the old ones too, as far as chunks go.
    for (const disk of diskNames(store)) {
      const back = takeAway(store, disk);
      await expectAll(store, objects);
      back();
    }
    expect(await store.gc()).toEqual(NOTHING_TO_DO);
  },
);

test('stores grow from one disk to five, one by one, with everything readable all the while', async () => {
  const store = await newStore(1);
  const objects = new Map<string, Buffer>();
  for (let disks = 1; disks <= 5; disks++) {
    if (disks > 1) await store.addDisk(`disk${disks}`, path.join(store.root, `disk${disks}`));
    const bytes = seededBytes(MIB + disks, disks);
    const redundancy = disks === 1 ? '1+0' : `${disks - 1}+1`;
    await store.put('bucket', String(disks), bytes, { redundancy });
    objects.set(String(disks), bytes);
    await expectAll(store, objects);
    await expectWhole(store);
  }
  expect((await ObjectStore.open(store.root)).document.disks.length).toBe(5);
});

test('another open store sees at once that a disk has come, and its writes and deletes count by the new number', async () => {
  const { store, objects } = await filled(3, '1+1');
  const other = await ObjectStore.open(store.root);
  await expectAll(other, objects);
  await store.addDisk('disk4', path.join(store.root, 'disk4'));
  await store.addDisk('disk5', path.join(store.root, 'disk5'));
  await other.put('bucket', 'new', Buffer.from('new'));
  expect(metaCopies(store, 'new').map(({ disk }) => disk)).toEqual(diskNames(store));
  expect(other.document.disks.length).toBe(5);
  await other.delete('bucket', 'a/key 0');
  expect(metaCopies(store, 'a/key 0')).toEqual([]);
  await other.createBucket('third');
  expect(fs.existsSync(path.join(store.root, 'disk5/buckets/third/.bucket.json'))).toBe(true);
  objects.set('new', Buffer.from('new')).delete('a/key 0');
  for (const reader of [store, other, await ObjectStore.open(store.root)]) {
    await expectAll(reader, objects);
    expect(await keysOf(reader)).toEqual([...objects.keys()].sort());
  }
  // Three of five must take a write: two do not suffice, though they did before.
  for (const disk of ['disk1', 'disk2', 'disk3']) takeAway(store, disk);
  expect(await failure(other.put('bucket', 'x', Buffer.from('x')))).toMatchObject({
    code: 'TOO_FEW_DISKS_TO_WRITE',
    expected: 3,
    found: 2,
  });
});

test('disks are added beside uploads and deletes: every acknowledged object has its meta on every disk at the end', async () => {
  const { store, objects } = await filled(2, '1+1');
  const other = await ObjectStore.open(store.root);
  const state = { isOver: false };
  const write = async (): Promise<void> => {
    for (let turn = 0; !state.isOver || turn < 6; turn++) {
      const key = `live ${turn % 5}`;
      const bytes = seededBytes(turn * 100, turn);
      await other.put('bucket', key, bytes);
      objects.set(key, bytes);
      if (turn % 4 === 0) {
        await other.delete('bucket', key);
        objects.delete(key);
      }
    }
  };
  const add = async (): Promise<void> => {
    try {
      for (const disk of ['disk3', 'disk4', 'disk5']) await store.addDisk(disk, path.join(store.root, disk));
    } finally {
      state.isOver = true;
    }
  };
  await Promise.all([add(), write()]);
  await expectAll(store, objects);
  expect(store.document.disks.map(({ role }) => role)).toEqual([1, 2, 3, 4, 5].map(() => undefined));
  for (const key of objects.keys()) expect(metaCopies(store, key).length, key).toBe(5);
  await expectWhole(store);
  expect(await store.gc()).toEqual(NOTHING_TO_DO);
});

test('with a disk away a disk can be added, and it joins with what the others know', async () => {
  const { store, objects } = await filled(4, '2+1');
  const back = takeAway(store, 'disk2');
  await store.put('bucket', 'new', Buffer.from('new'));
  objects.set('new', Buffer.from('new'));
  await store.addDisk('disk5', path.join(store.root, 'disk5'));
  for (const key of objects.keys()) expect(metaCopies(store, key).some(({ disk }) => disk === 'disk5')).toBe(true);
  await expectAll(store, objects);
  back();
  await store.heal();
  await expectWhole(store);
});

test('a folder that is not fit to become a disk, and a name that is taken or bad, are refused; nothing is left', async () => {
  const { store } = await filled(3, '1+1');
  const folder = tempFolder();
  fs.mkdirSync(path.join(folder, 'used'));
  fs.writeFileSync(path.join(folder, 'used', 'file'), 'x');
  fs.writeFileSync(path.join(folder, 'file'), 'x');
  fs.mkdirSync(path.join(store.root, 'taken'));
  fs.writeFileSync(path.join(store.root, 'taken', 'file'), 'x');
  const foreign = await newStore(1);
  const before = [tree(store.root), tree(folder), tree(foreign.root)];
  const refused = async (name: string, where: string, code: string): Promise<void> => {
    expect(await failure(store.addDisk(name, where))).toMatchObject({ code });
    expect([tree(store.root), tree(folder), tree(foreign.root)]).toEqual(before);
  };
  await refused('disk3', path.join(folder, 'new'), 'DISK_EXISTS');
  await refused('../disk4', path.join(folder, 'new'), 'BAD_DISK_NAME');
  await refused('', path.join(folder, 'new'), 'BAD_DISK_NAME');
  await refused('disk4', path.join(folder, 'used'), 'BAD_ROOT');
  await refused('disk4', path.join(folder, 'file'), 'BAD_ROOT');
  await refused('disk4', path.join(folder, 'file', 'below'), 'BAD_ROOT');
  await refused('disk4', path.join(foreign.root, 'disk1'), 'BAD_ROOT');
  await refused('disk4', path.join(store.root, 'disk1'), 'BAD_ROOT');
  await refused('disk4', path.join(store.root, 'disk1', 'tmp'), 'BAD_ROOT');
  await refused('taken', path.join(folder, 'new'), 'BAD_ROOT');
});

test('a disk that is added through a link to where another disk is, is refused', async () => {
  const { store } = await filled(3, '1+1');
  const folder = tempFolder();
  const link = path.join(folder, 'link');
  fs.symlinkSync(path.join(store.root, 'disk1', 'tmp'), link);
  expect(await failure(store.addDisk('disk4', link))).toMatchObject({ code: 'BAD_ROOT' });
  expect((await store.disks()).map(({ disk }) => disk)).toEqual(['disk1', 'disk2', 'disk3']);
});

test.each([1, 3])(
  'disks that are added to a store of %i and cannot join, because a meta is lost, do not make it unreadable',
  async (disks) => {
    const { store, objects } = await filled(disks, '1+0');
    // Too few disks can tell what this object was.
    for (const { file } of metaCopies(store, 'a/key 1').slice(0, Math.ceil(disks / 2) + 1)) fs.truncateSync(file, 20);
    objects.delete('a/key 1');
    for (let index = 0; index < 4; index++) {
      const name = `disk${disks + index + 1}`;
      // Refused, or added and told that it has not joined: whichever, the others read on.
      await failure(store.addDisk(name, path.join(store.root, name)));
      await expectAll(store, objects);
    }
    // Once the object is there anew, all of them join.
    await store.put('bucket', 'a/key 1', Buffer.from('anew'));
    objects.set('a/key 1', Buffer.from('anew'));
    await store.heal();
    expect(store.document.disks.map(({ role }) => role)).toEqual(store.document.disks.map(() => undefined));
    await expectWhole(store);
    await expectAll(store, objects);
  },
);

test('what a program left that died while it added a disk is gone on with', async () => {
  const { store, objects } = await filled(3, '1+1');
  const folder = path.join(tempFolder(), 'disk4');
  for (const name of ['buckets', 'chunks', 'tmp']) fs.mkdirSync(path.join(folder, name), { recursive: true });
  const mark = JSON.parse(fs.readFileSync(path.join(store.root, 'disk1', 'disk.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  const id = '0c3ba6c0-6a3a-4d39-8a3f-1d5a5d2f9a11';
  fs.writeFileSync(path.join(folder, 'disk.json'), JSON.stringify({ ...mark, name: 'disk4', id }));
  fs.symlinkSync(folder, path.join(store.root, 'disk4'));
  await store.addDisk('disk4', folder);
  expect(store.document.disks[3]).toEqual({ name: 'disk4', id, path: folder });
  await expectWhole(store);
  await expectAll(store, objects);
});
