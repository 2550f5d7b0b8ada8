import * as fs from 'node:fs';
import * as path from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Listed, ListOptions, ObjectStore } from '../../../src/index.ts';
import { list } from '../../../src/store/objects/list.ts';
import { contextOf } from '../../support/context.ts';
import { failure, keysOf, metaCopies, newStore, property, read, takeAway } from '../../support/store.ts';

const byUtf8 = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

async function storeWith(keys: string[], disks = 1): Promise<ObjectStore> {
  const store = await newStore(disks);
  for (const key of keys) await store.put('bucket', key, Buffer.from(key));
  return store;
}

/** A list, an object as its key and a folder as its prefix. */
async function namesOf(store: ObjectStore, options: ListOptions): Promise<string[]> {
  const names: string[] = [];
  const list: AsyncIterable<Listed> = store.list('bucket', { ...options, folders: true });
  for await (const entry of list) names.push(entry.kind === 'object' ? entry.key : `${entry.prefix} folder`);
  return names;
}

test('an entry of the list says what the meta says', async () => {
  const store = await newStore();
  const { meta } = await store.put('bucket', 'key', Buffer.from('12345'), { contentType: 'text/plain' });
  const entries = [];
  for await (const entry of store.list('bucket')) entries.push(entry);
  const { version, createdAt } = meta;
  expect(entries).toEqual([{ kind: 'object', key: 'key', size: 5, version, createdAt, contentType: 'text/plain' }]);
});

test('an empty bucket lists nothing, and a missing one is NO_SUCH_BUCKET', async () => {
  const store = await newStore();
  expect(await keysOf(store)).toEqual([]);
  expect(await namesOf(store, {})).toEqual([]);
  expect((await failure(store.list('none').next())).code).toBe('NO_SUCH_BUCKET');
});

const KEYS = [
  'a',
  'ab',
  'abc',
  'abd',
  'a/',
  'a/b',
  'a//',
  'a//b',
  'a/b/c',
  'a/bc',
  '/',
  '//',
  '/a',
  'b',
  `${'l'.repeat(450)}/x`,
  'l'.repeat(450),
  `${'l'.repeat(205)}m`,
];

test.each([
  'a',
  'ab',
  'abc',
  'abcd',
  'a/',
  'a/b',
  'a//',
  'a//b',
  'a/b/',
  '/',
  '//',
  '///',
  'c',
  'a/b/c/d',
  'l'.repeat(100),
  'l'.repeat(200),
  'l'.repeat(201),
  'l'.repeat(206),
  'l'.repeat(450),
  `${'l'.repeat(450)}/`,
  `${'l'.repeat(205)}m/`,
])('the prefix %j gives exactly the keys that begin with it', async (prefix) => {
  const store = await storeWith(KEYS);
  expect(await keysOf(store, prefix)).toEqual(KEYS.filter((key) => key.startsWith(prefix)).sort(byUtf8));
});

/** What `folders` promises, computed from the keys alone. */
function foldered(keys: string[], prefix: string): string[] {
  const base = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  const names = keys
    .filter((key) => key.startsWith(prefix))
    .sort(byUtf8)
    .map((key) => {
      const slash = key.indexOf('/', base.length);
      return slash === -1 ? key : `${key.slice(0, slash + 1)} folder`;
    });
  return [...new Set(names)];
}

test('any prefix, with and without folders, gives what a filter over all keys gives', async () => {
  const unit = fc.constantFrom('a', 'b', '/', '.', '%', 'é');
  const part = fc.oneof(
    fc.string({ unit, minLength: 1, maxLength: 5 }),
    fc.constantFrom('y'.repeat(199), 'y'.repeat(201), 'y'.repeat(401)),
  );
  const keys = fc.uniqueArray(
    fc.tuple(part, fc.string({ unit, maxLength: 4 })).map((parts) => parts.join('')),
    { minLength: 1, maxLength: 12 },
  );
  const run = { store: await newStore(1), count: 0 };
  await fc.assert(
    fc.asyncProperty(keys, fc.nat(), fc.nat(410), part, async (all, pick, length, other) => {
      const bucket = `run-${run.count++}`;
      await run.store.createBucket(bucket);
      for (const key of all) await run.store.put(bucket, key, Buffer.alloc(0));
      for (const prefix of [(all[pick % all.length] ?? '').slice(0, length), other, '']) {
        const flat: string[] = [];
        for await (const { key } of run.store.list(bucket, { prefix })) flat.push(key);
        expect(flat).toEqual(all.filter((key) => key.startsWith(prefix)).sort(byUtf8));
        const folds: string[] = [];
        for await (const entry of run.store.list(bucket, { prefix, folders: true }))
          folds.push(entry.kind === 'object' ? entry.key : `${entry.prefix} folder`);
        expect(folds).toEqual(foldered(all, prefix));
      }
    }),
    property(40),
  );
});

test('deleted keys are not shown, nor are folders with nothing live in them, while tombstones are still there', async () => {
  const store = await storeWith(['a/1', 'a/2', 'b/c/1', 'd'], 3);
  const back = takeAway(store, 'disk1');
  for (const key of ['a/1', 'b/c/1', 'd']) await store.delete('bucket', key);
  expect(metaCopies(store, 'd').length).toBeGreaterThan(0);
  for (const step of ['disk away', 'disk back'] as const) {
    if (step === 'disk back') back();
    expect(await keysOf(store)).toEqual(['a/2']);
    expect(await namesOf(store, {})).toEqual(['a/ folder']);
    expect(await namesOf(store, { prefix: 'b/' })).toEqual([]);
  }
});

test('a key whose metas are all damaged fails the list with META_DAMAGED when its turn comes, or goes to onDamaged', async () => {
  const store = await storeWith(['a', 'b', 'c'], 3);
  for (const { file } of metaCopies(store, 'b')) fs.writeFileSync(file, '{}');
  const seen: string[] = [];
  const all = async (): Promise<void> => {
    for await (const { key } of store.list('bucket')) seen.push(key);
  };
  expect((await failure(all())).code).toBe('META_DAMAGED');
  expect(seen).toEqual(['a']);
  const damaged: string[] = [];
  const others: string[] = [];
  for await (const { key } of store.list('bucket', { onDamaged: (key, error) => damaged.push(`${key} ${error.code}`) }))
    others.push(key);
  expect({ damaged, others }).toEqual({ damaged: ['b META_DAMAGED'], others: ['a', 'c'] });
  await store.put('bucket', 'b', Buffer.from('again'));
  expect(await keysOf(store)).toEqual(['a', 'b', 'c']);
});

test('one damaged, missing, stale or exchanged copy of each meta does not show in the list', async () => {
  const store = await storeWith(['a', 'b', 'c', 'd', 'e'], 3);
  const stale = metaCopies(store, 'd')[0];
  const { meta } = await store.put('bucket', 'd', Buffer.from('newer'));
  const [a, b, c, e] = ['a', 'b', 'c', 'e'].map((key, index) => metaCopies(store, key)[index % 3]?.file ?? '');
  fs.writeFileSync(a ?? '', 'damaged');
  fs.rmSync(b ?? '');
  fs.copyFileSync(e ?? '', c ?? '');
  fs.writeFileSync(stale?.file ?? '', stale?.text ?? '');
  const versions = new Map<string, string>();
  for await (const { key, version } of store.list('bucket')) versions.set(key, version);
  expect([...versions.keys()]).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect(versions.get('d')).toBe(meta.version);
});

test('files that are no metas are not shown', async () => {
  const store = await storeWith(['a'], 1);
  const folder = path.join(store.root, 'disk1/buckets/bucket');
  for (const name of ['README', '.meta.json', '.DS_Store', 'b.meta.json~', '%zz.meta.json', 'x..meta.json'])
    fs.writeFileSync(path.join(folder, name), 'x');
  fs.mkdirSync(path.join(folder, '.git'));
  fs.writeFileSync(path.join(folder, '.git/config'), '');
  expect(await keysOf(store)).toEqual(['a']);
  expect((await read(store, 'a')).toString()).toBe('a');
});

test('a list can be left early, and another begun in it', async () => {
  const store = await storeWith(['a', 'b/1', 'b/2', 'c']);
  for await (const { key } of store.list('bucket')) if (key === 'b/1') break;
  const pairs: string[] = [];
  for await (const outer of store.list('bucket', { prefix: 'b/' })) {
    for await (const inner of store.list('bucket', { prefix: 'c' })) pairs.push(outer.key + inner.key);
  }
  expect(pairs).toEqual(['b/1c', 'b/2c']);
});

test('every key that stays is listed exactly once while others come and go', async () => {
  const stay = Array.from({ length: 60 }, (_, index) => `k${index % 7}/${index}`);
  const store = await storeWith(stay, 3);
  const churn = async (): Promise<void> => {
    for (let index = 0; index < 30; index++) {
      const key = `k${index % 7}/churn${index}`;
      await store.put('bucket', key, Buffer.alloc(0));
      await store.delete('bucket', key);
    }
  };
  const state = { churning: true };
  const churned = churn().finally(() => (state.churning = false));
  do {
    const seen = (await keysOf(store)).filter((key) => !key.includes('churn'));
    expect(seen).toEqual([...stay].sort(byUtf8));
  } while (state.churning);
  await churned;
});

/** More keys than a list reads ahead, each in a folder of its own. */
const MANY = Array.from({ length: 40 }, (_, index) => `${index + 10}/1`);

test('a list whose disks vanish half-way fails, and does not end as if there were no more keys', async () => {
  const store = await storeWith(MANY, 3);
  const list = store.list('bucket');
  expect((await list.next()).value).toMatchObject({ key: '10/1' });
  for (const disk of ['disk1', 'disk2', 'disk3']) takeAway(store, disk);
  expect((await failure(rest(list))).code).toBe('TOO_FEW_DISKS_TO_READ');
});

test('a list that is left half-way with one disk, which missed a key, does not leave the key out', async () => {
  const store = await storeWith(MANY, 3);
  const back = takeAway(store, 'disk2');
  await store.put('bucket', '48/2', Buffer.from('missed'));
  back();
  const list = store.list('bucket');
  expect((await list.next()).value).toMatchObject({ key: '10/1' });
  for (const disk of ['disk1', 'disk3']) takeAway(store, disk);
  expect((await failure(rest(list))).code).toBe('TOO_FEW_DISKS_TO_READ');
});

async function rest(list: AsyncIterable<{ key: string }>): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of list) keys.push(key);
  return keys;
}

test('a list of folders looks in each for one object, and lists no folder beside that', async () => {
  const store = await storeWith(['p/a/x', 'p/b/y', 'q/a/x', 'q/b/y']);
  const listed = new Set<string>();
  const context = await contextOf(store, (disk) => {
    const listFolder = disk.list.bind(disk);
    disk.list = (folder) => {
      listed.add(folder);
      return listFolder(folder);
    };
    return disk;
  });
  const entries: Listed[] = [];
  for await (const entry of list(context, 'bucket', { folders: true })) entries.push(entry);
  expect(entries).toEqual(['p/', 'q/'].map((prefix) => ({ kind: 'folder', prefix })));
  expect([...listed].filter((folder) => folder.endsWith('/b'))).toEqual([]);
});
