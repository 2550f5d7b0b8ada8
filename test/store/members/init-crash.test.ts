import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { ObjectStore } from '../../../src/index.ts';
import { collect, failure, tree } from '../../support/store.ts';
import { tempFolder } from '../../support/temp.ts';

const PLAN = '.store.json.plan';

/**
 * The steps of an init, in their order, as the entries that each leaves behind; a crash leaves those of some first steps.
 * Taken from a finished store, so that the plan and the marks are the true ones.
 */
function steps(disks: string[]): string[] {
  return [
    PLAN,
    ...disks.flatMap((disk) => [disk, `${disk}/buckets`, `${disk}/chunks`, `${disk}/tmp`, `${disk}/disk.json`]),
  ];
}

/** Rebuilds, in `root`, what an init of `finished` had made when it died after `count` steps. */
function dieAfter(count: number, finished: ObjectStore, root: string): void {
  fs.mkdirSync(root, { recursive: true });
  fs.writeFileSync(path.join(root, '.lock'), '');
  const disks = finished.document.disks.map((disk) => disk.name);
  for (const step of steps(disks).slice(0, count)) {
    const from = path.join(finished.root, step === PLAN ? 'store.json' : step);
    const to = path.join(root, step);
    if (fs.statSync(from).isDirectory()) fs.mkdirSync(to);
    else fs.copyFileSync(from, to);
  }
}

async function works(store: ObjectStore): Promise<void> {
  expect((await store.disks()).map(({ state }) => state.status)).toEqual(store.document.disks.map(() => 'online'));
  await store.createBucket('works');
  await store.put('works', 'key', Buffer.from('works'));
  expect((await collect((await store.get('works', 'key')).body)).toString()).toBe('works');
}

const STAGES = Array.from({ length: steps(['disk1', 'disk2', 'disk3']).length + 1 }, (_, count) => count);

test.each(STAGES)(
  'an init that died after %i steps is finished by the next open, with the same store id and disks',
  async (count) => {
    const finished = await ObjectStore.init(path.join(tempFolder(), 'finished'));
    const root = path.join(tempFolder(), 'store');
    dieAfter(count, finished, root);
    expect((await failure(ObjectStore.open(root))).code).toBe('STORE_NOT_FOUND');
    const store = await ObjectStore.open(root, { create: true });
    if (count > 0) expect(store.document).toEqual(finished.document);
    expect(fs.readdirSync(root).sort()).toEqual(['.lock', 'disk1', 'disk2', 'disk3', 'store.json']);
    await works(store);
  },
);

test.each(STAGES.slice(1))(
  'an init that died after %i steps is finished as it was begun by an init with other wishes, which says STORE_EXISTS',
  async (count) => {
    const finished = await ObjectStore.init(path.join(tempFolder(), 'finished'));
    const root = path.join(tempFolder(), 'store');
    dieAfter(count, finished, root);
    expect((await failure(ObjectStore.init(root, { disks: 5 }))).code).toBe('STORE_EXISTS');
    const store = await ObjectStore.open(root);
    expect(store.document).toEqual(finished.document);
    await works(store);
  },
);

test('a mark that the dying init had only begun to write is written whole', async () => {
  const finished = await ObjectStore.init(path.join(tempFolder(), 'finished'));
  const root = path.join(tempFolder(), 'store');
  dieAfter(6, finished, root);
  fs.truncateSync(path.join(root, 'disk1/disk.json'), 10);
  await works(await ObjectStore.open(root, { create: true }));
});

test.each([0, 1, 100])(
  'a plan of which only %i bytes were written says that no disk was touched: the init begins anew',
  async (length) => {
    const finished = await ObjectStore.init(path.join(tempFolder(), 'finished'));
    const root = path.join(tempFolder(), 'store');
    dieAfter(1, finished, root);
    fs.truncateSync(path.join(root, PLAN), length);
    fs.mkdirSync(path.join(root, 'disk7'));
    const store = await ObjectStore.open(root, { create: true });
    expect(store.document.disks.map((disk) => disk.name)).toEqual(['disk7']);
    expect(fs.existsSync(path.join(root, PLAN))).toBe(false);
    await works(store);
  },
);

test('an init that died with disks elsewhere is finished with its links', async () => {
  const elsewhere = tempFolder();
  const places = [
    { name: 'a', path: path.join(elsewhere, 'a') },
    { name: 'b', path: path.join(elsewhere, 'b') },
  ];
  const root = path.join(tempFolder(), 'store');
  const { document } = await ObjectStore.init(root, { places });
  // The state before the second link and the second disk's content.
  fs.renameSync(path.join(root, 'store.json'), path.join(root, PLAN));
  fs.unlinkSync(path.join(root, 'b'));
  fs.rmSync(path.join(elsewhere, 'b'), { recursive: true });
  const store = await ObjectStore.open(root, { create: true });
  expect(store.document).toEqual(document);
  expect(fs.readlinkSync(path.join(root, 'b'))).toBe(path.join(elsewhere, 'b'));
  await works(store);
});

test('many who find an unfinished init at once finish it together', async () => {
  const finished = await ObjectStore.init(path.join(tempFolder(), 'finished'));
  const root = path.join(tempFolder(), 'store');
  dieAfter(5, finished, root);
  const stores = await Promise.all(Array.from({ length: 6 }, () => ObjectStore.open(root, { create: true })));
  for (const store of stores) expect(store.document).toEqual(finished.document);
});

test('an init that fails half-way takes back what it made, and the next one works', async () => {
  const folder = tempFolder();
  const root = path.join(folder, 'deep', 'store');
  const places = [
    { name: 'a', path: path.join(folder, 'a') },
    // A file name that is too long for the system is found out only when the folder is made.
    { name: 'b', path: path.join(folder, 'b', 'n'.repeat(256)) },
  ];
  await failure(ObjectStore.init(root, { places }));
  expect(tree(folder)).toEqual([]);
  await works(await ObjectStore.open(root, { create: true }));
});
