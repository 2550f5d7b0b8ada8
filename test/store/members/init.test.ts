import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { ObjectStore } from '../../../src/index.ts';
import { collect, diskNames, failure, tree } from '../../support/store.ts';
import { tempFolder } from '../../support/temp.ts';

/** A store is whole when something can be put into it and comes out again, with all its disks online. */
async function isWhole(store: ObjectStore): Promise<void> {
  expect((await store.disks()).filter(({ state }) => state.status !== 'online')).toEqual([]);
  const again = await ObjectStore.open(store.root);
  expect(again.document).toEqual(store.document);
  await again.createBucket('whole');
  await again.put('whole', 'key', Buffer.from('whole'));
  expect((await collect((await store.get('whole', 'key')).body)).toString()).toBe('whole');
}

test('a new store has disk1, disk2 and disk3, redundancy 1+0 and fsync; its folder is made', async () => {
  const root = path.join(tempFolder(), 'deep', 'down', 'store');
  const store = await ObjectStore.open(root, { create: true });
  expect(diskNames(store)).toEqual(['disk1', 'disk2', 'disk3']);
  expect(store.document).toMatchObject({ format: 1, redundancy: '1+0', durability: 'fsync' });
  expect(store.root).toBe(root);
  expect(fs.readdirSync(root).sort()).toEqual(['.lock', 'disk1', 'disk2', 'disk3', 'store.json']);
  for (const { name, id } of store.document.disks) {
    expect(fs.readdirSync(path.join(root, name)).sort()).toEqual(['buckets', 'chunks', 'disk.json', 'tmp']);
    const mark: unknown = JSON.parse(fs.readFileSync(path.join(root, name, 'disk.json'), 'utf8'));
    expect(mark).toEqual({ format: 1, store: store.document.id, name, id });
  }
  await isWhole(store);
});

test('open does not make a store unless told to, nor a second one', async () => {
  const root = path.join(tempFolder(), 'store');
  expect(await failure(ObjectStore.open(root))).toMatchObject({ code: 'STORE_NOT_FOUND', path: root });
  expect(fs.existsSync(root)).toBe(false);
  const store = await ObjectStore.open(root, { create: true });
  const before = tree(root, { stamps: true });
  expect((await ObjectStore.open(root, { create: true })).document).toEqual(store.document);
  expect(await failure(ObjectStore.init(root))).toMatchObject({ code: 'STORE_EXISTS', path: root });
  expect(await failure(ObjectStore.init(root, { disks: 5 }))).toMatchObject({ code: 'STORE_EXISTS', path: root });
  expect(tree(root, { stamps: true })).toEqual(before);
});

test('empty folders and links named disk… that stand in the root become its disks, in the order of their numbers', async () => {
  const root = tempFolder();
  const elsewhere = tempFolder();
  for (let number = 10; number >= 1; number--) {
    const folder = path.join(root, `disk${number}`);
    if (number % 3 !== 0) fs.mkdirSync(folder);
    else {
      fs.mkdirSync(path.join(elsewhere, String(number)));
      fs.symlinkSync(path.join(elsewhere, String(number)), folder);
    }
  }
  fs.writeFileSync(path.join(root, '.gitkeep'), '');
  fs.mkdirSync(path.join(root, 'other'));
  const store = await ObjectStore.open(root, { create: true });
  expect(diskNames(store)).toEqual(Array.from({ length: 10 }, (_, index) => `disk${index + 1}`));
  expect(fs.readdirSync(path.join(elsewhere, '3')).sort()).toEqual(['buckets', 'chunks', 'disk.json', 'tmp']);
  expect(fs.readdirSync(path.join(root, 'other'))).toEqual([]);
  await isWhole(store);
});

test('a lost+found does not keep a folder from being empty, and stays', async () => {
  const root = tempFolder();
  for (const disk of ['disk1', 'disk2']) fs.mkdirSync(path.join(root, disk, 'lost+found'), { recursive: true });
  const store = await ObjectStore.open(root, { create: true });
  expect(diskNames(store)).toEqual(['disk1', 'disk2']);
  expect(fs.existsSync(path.join(root, 'disk1', 'lost+found'))).toBe(true);
  await isWhole(store);
});

test('a number of disks and a durability can be asked for', async () => {
  const store = await ObjectStore.init(path.join(tempFolder(), 'store'), { disks: 7, durability: 'none' });
  expect(diskNames(store)).toEqual(['disk1', 'disk2', 'disk3', 'disk4', 'disk5', 'disk6', 'disk7']);
  expect(store.document.durability).toBe('none');
  await isWhole(store);
});

test('a disk elsewhere is made or taken where it is, and linked to from the root', async () => {
  const root = path.join(tempFolder(), 'store');
  const elsewhere = tempFolder();
  fs.mkdirSync(path.join(elsewhere, 'there'));
  const places = [
    { name: 'fast', path: path.join(elsewhere, 'there') },
    { name: 'slow', path: path.join(elsewhere, 'not', 'yet') },
    { name: 'own', path: path.join(root, 'own') },
  ];
  const store = await ObjectStore.init(root, { places });
  expect(fs.readlinkSync(path.join(root, 'fast'))).toBe(path.join(elsewhere, 'there'));
  expect(fs.readlinkSync(path.join(root, 'slow'))).toBe(path.join(elsewhere, 'not', 'yet'));
  expect(fs.lstatSync(path.join(root, 'own')).isDirectory()).toBe(true);
  expect(store.document.disks.map((disk) => disk.path)).toEqual([
    path.join(elsewhere, 'there'),
    path.join(elsewhere, 'not', 'yet'),
    'own',
  ]);
  await isWhole(store);
});

test('a store that is moved as a whole works where it is then', async () => {
  const folder = tempFolder();
  const store = await ObjectStore.init(path.join(folder, 'before'));
  fs.renameSync(store.root, path.join(folder, 'after'));
  await isWhole(await ObjectStore.open(path.join(folder, 'after')));
});

/** Attempts that must be refused: what stands beforehand in the folder, the attempt, and the code. */
const REFUSED: Record<
  string,
  { code: string; stand?: (folder: string) => void; init: (folder: string) => Promise<unknown> }
> = {
  'no disks': { code: 'BAD_ROOT', init: (folder) => ObjectStore.init(path.join(folder, 's'), { disks: 0 }) },
  'no places': { code: 'BAD_ROOT', init: (folder) => ObjectStore.init(path.join(folder, 's'), { places: [] }) },
  'a disk folder that is not empty': {
    code: 'BAD_ROOT',
    stand: (folder) => {
      fs.mkdirSync(path.join(folder, 's/disk2/photos'), { recursive: true });
    },
    init: (folder) => ObjectStore.open(path.join(folder, 's'), { create: true }),
  },
  'a disk that is a file': {
    code: 'BAD_ROOT',
    stand: (folder) => {
      fs.mkdirSync(path.join(folder, 's'));
      fs.writeFileSync(path.join(folder, 's/disk3'), '');
    },
    init: (folder) => ObjectStore.open(path.join(folder, 's'), { create: true }),
  },
  'a disk that is a link to nowhere': {
    code: 'BAD_ROOT',
    stand: (folder) => {
      fs.mkdirSync(path.join(folder, 's'));
      fs.symlinkSync('/nowhere/at/all', path.join(folder, 's/disk1'));
    },
    init: (folder) => ObjectStore.open(path.join(folder, 's'), { create: true }),
  },
  'a place that is not empty': {
    code: 'BAD_ROOT',
    stand: (folder) => {
      fs.mkdirSync(path.join(folder, 'place/photos'), { recursive: true });
    },
    init: (folder) =>
      ObjectStore.init(path.join(folder, 's'), {
        places: [
          { name: 'a', path: path.join(folder, 'free') },
          { name: 'b', path: path.join(folder, 'place') },
        ],
      }),
  },
  'a place elsewhere whose name is taken in the root': {
    code: 'BAD_ROOT',
    stand: (folder) => {
      fs.mkdirSync(path.join(folder, 's/a'), { recursive: true });
    },
    init: (folder) =>
      ObjectStore.init(path.join(folder, 's'), { places: [{ name: 'a', path: path.join(folder, 'place') }] }),
  },
  'a place that is below a file': {
    code: 'BAD_ROOT',
    stand: (folder) => {
      fs.writeFileSync(path.join(folder, 'file'), '');
    },
    init: (folder) =>
      ObjectStore.init(path.join(folder, 's'), {
        places: [
          { name: 'a', path: path.join(folder, 'place') },
          { name: 'b', path: path.join(folder, 'file/below') },
        ],
      }),
  },
  'a root that is a file': {
    code: 'BAD_ROOT',
    stand: (folder) => {
      fs.writeFileSync(path.join(folder, 's'), 'not a store');
    },
    init: (folder) => ObjectStore.open(path.join(folder, 's'), { create: true }),
  },
  'a root below a file': {
    code: 'BAD_ROOT',
    stand: (folder) => {
      fs.writeFileSync(path.join(folder, 'file'), '');
    },
    init: (folder) => ObjectStore.open(path.join(folder, 'file/s'), { create: true }),
  },
  'one name twice': {
    code: 'BAD_DISK_NAME',
    init: (folder) =>
      ObjectStore.init(path.join(folder, 's'), {
        places: [
          { name: 'a', path: path.join(folder, 'x') },
          { name: 'a', path: path.join(folder, 'y') },
        ],
      }),
  },
  'one place twice': {
    code: 'BAD_DISK_NAME',
    init: (folder) =>
      ObjectStore.init(path.join(folder, 's'), {
        places: [
          { name: 'a', path: path.join(folder, 'x') },
          { name: 'b', path: path.join(folder, 'x/../x') },
        ],
      }),
  },
  'one place twice, once through a link': {
    code: 'BAD_DISK_NAME',
    stand: (folder) => {
      fs.mkdirSync(path.join(folder, 'x'));
      fs.symlinkSync(path.join(folder, 'x'), path.join(folder, 'y'));
    },
    init: (folder) =>
      ObjectStore.init(path.join(folder, 's'), {
        places: [
          { name: 'a', path: path.join(folder, 'x') },
          { name: 'b', path: path.join(folder, 'y') },
        ],
      }),
  },
  'two links in the root that lead to one folder': {
    code: 'BAD_DISK_NAME',
    stand: (folder) => {
      fs.mkdirSync(path.join(folder, 's'));
      fs.mkdirSync(path.join(folder, 'x'));
      for (const name of ['disk1', 'disk2', 'disk3'])
        fs.symlinkSync(path.join(folder, 'x'), path.join(folder, 's', name));
    },
    init: (folder) => ObjectStore.open(path.join(folder, 's'), { create: true }),
  },
};

test.each(Object.keys(REFUSED))('%s: a store is not made, and everything stands as before', async (kind) => {
  const folder = tempFolder();
  const { code, stand, init } = REFUSED[kind] ?? { code: '', init: () => Promise.resolve() };
  stand?.(folder);
  const before = tree(folder);
  expect((await failure(init(folder))).code).toBe(code);
  expect(tree(folder).filter((line) => !line.startsWith('s/.lock '))).toEqual(before);
});

test('a refused store leaves no lock file in a folder that was there before', async () => {
  const folder = tempFolder();
  fs.mkdirSync(path.join(folder, 'disk1/photos'), { recursive: true });
  const before = tree(folder);
  expect((await failure(ObjectStore.open(folder, { create: true }))).code).toBe('BAD_ROOT');
  expect(tree(folder)).toEqual(before);
});

test.each([
  '',
  '..',
  '.',
  'a/b',
  '/abs',
  'a b',
  '.hidden',
  '-dash',
  'disk\n',
  'x'.repeat(64),
  'store.json',
  'STORE.JSON',
  'dïsk',
])('the disk name %j is BAD_DISK_NAME, and nothing is made', async (name) => {
  const folder = tempFolder();
  const places = [
    { name: 'good', path: path.join(folder, 'good') },
    { name, path: path.join(folder, 'place') },
  ];
  expect((await failure(ObjectStore.init(path.join(folder, 's'), { places }))).code).toBe('BAD_DISK_NAME');
  expect(tree(folder)).toEqual([]);
});

test.each([
  ['no JSON', 'STORE_DAMAGED', () => 'store'],
  ['empty', 'STORE_DAMAGED', () => ''],
  ['cut short', 'STORE_DAMAGED', (text: string) => text.slice(0, -20)],
  ['null', 'STORE_DAMAGED', () => 'null'],
  ['without disks', 'STORE_DAMAGED', (text: string) => JSON.stringify({ ...(JSON.parse(text) as object), disks: [] })],
  [
    'with a disk name that leads out',
    'STORE_DAMAGED',
    (text: string) => text.replace('"name": "disk1"', '"name": "../disk1"'),
  ],
  ['with one disk twice', 'STORE_DAMAGED', (text: string) => text.replace('"name": "disk1"', '"name": "disk2"')],
  ['without an id', 'STORE_DAMAGED', (text: string) => text.replace('"id"', '"di"')],
  ['of format 2', 'UNKNOWN_FORMAT', (text: string) => text.replace('"format": 1', '"format": 2')],
] as const)('a store.json that is %s is %s, and is never made anew', async (_, code, change) => {
  const { root } = await ObjectStore.init(path.join(tempFolder(), 'store'));
  const file = path.join(root, 'store.json');
  const text = fs.readFileSync(file, 'utf8');
  const changed = change(text);
  expect(changed).not.toBe(text);
  fs.writeFileSync(file, changed);
  const before = tree(root);
  expect(await failure(ObjectStore.open(root))).toMatchObject({ code, path: file });
  expect(await failure(ObjectStore.open(root, { create: true }))).toMatchObject({ code, path: file });
  expect((await failure(ObjectStore.init(root))).code).toBe('STORE_EXISTS');
  expect(tree(root)).toEqual(before);
});

test('a store whose store.json is lost is not made anew over its disks', async () => {
  const store = await ObjectStore.init(path.join(tempFolder(), 'store'));
  fs.rmSync(path.join(store.root, 'store.json'));
  const before = tree(store.root);
  for (const create of [true, false]) {
    expect(await failure(ObjectStore.open(store.root, { create }))).toMatchObject({
      code: 'STORE_DAMAGED',
      message: expect.stringMatching(/^there is no store.json in ".*", but disks of a store are$/) as string,
    });
    expect(tree(store.root)).toEqual(before);
  }
  // Nor by anybody else, as long as a disk is left.
  fs.rmSync(path.join(store.root, 'disk1'), { recursive: true });
  expect((await failure(ObjectStore.open(store.root, { create: true }))).code).toBe('STORE_DAMAGED');
});
