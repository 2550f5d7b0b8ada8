import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { ObjectStore, type StoreError } from '../../../src/index.ts';
import { expectWhole } from '../../support/shards.ts';
import { SPECIALS } from '../../support/special-files.ts';
import { failure, forge, metaCopies, newStore, read } from '../../support/store.ts';
import { tempFolder } from '../../support/temp.ts';

describe.each(SPECIALS)('$what', ({ make, problem }) => {
  test('in the place of store.json is a damaged store at once, and no new store is made over it', async ({ skip }) => {
    skip(problem !== undefined, problem);
    const { root } = await newStore(3);
    fs.rmSync(path.join(root, 'store.json'));
    await make(path.join(root, 'store.json'));
    const before = fs.lstatSync(path.join(root, 'store.json')).ino;
    expect((await failure(ObjectStore.open(root))).code).toBe('STORE_DAMAGED');
    expect((await failure(ObjectStore.open(root, { create: true }))).code).toBe('STORE_DAMAGED');
    expect(fs.lstatSync(path.join(root, 'store.json')).ino).toBe(before);
  });

  test('in the place of the plan of a store fails the making of one at once', async ({ skip }) => {
    skip(problem !== undefined, problem);
    const root = tempFolder();
    await make(path.join(root, '.store.json.plan'));
    expect((await failure(ObjectStore.init(root))).code).toBe('STORE_NOT_WRITABLE');
    expect(fs.existsSync(path.join(root, 'store.json'))).toBe(false);
  });

  test('in the place of the next store.json fails a change of the disks at once, and the store stays as it is', async ({
    skip,
  }) => {
    skip(problem !== undefined, problem);
    const store = await newStore(3);
    await make(path.join(store.root, '.store.json.next'));
    expect((await failure(store.addDisk('more', path.join(store.root, 'more')))).code).toBe('STORE_NOT_WRITABLE');
    expect((await ObjectStore.open(store.root)).document.disks).toHaveLength(3);
  });

  test("in the place of a disk's mark takes that disk out, with the reason, and is refused as a new disk", async ({
    skip,
  }) => {
    skip(problem !== undefined, problem);
    const store = await newStore(3);
    const mark = path.join(store.root, 'disk2/disk.json');
    fs.rmSync(mark);
    await make(mark);
    const states = await store.disks();
    expect(states.map(({ state }) => state.status)).toEqual(['online', 'unreadable', 'online']);
    await store.put('bucket', 'key', Buffer.from('x'));
    expect(String(await read(store, 'key'))).toBe('x');
    const other = path.join(tempFolder(), 'other');
    fs.mkdirSync(other);
    await make(path.join(other, 'disk.json'));
    expect((await failure(store.addDisk('other', other))).code).toMatch(/^(BAD_ROOT|STORE_NOT_WRITABLE)$/);
  });

  test('in the place of the lock file keeps nobody waiting: it is locked, or refused', async ({ skip }) => {
    skip(problem !== undefined, problem);
    const store = await newStore(3);
    await store.put('bucket', 'key', Buffer.from('x'));
    fs.rmSync(path.join(store.root, '.lock'));
    await make(path.join(store.root, '.lock'));
    const outcomes = await Promise.allSettled([read(store, 'key'), store.put('bucket', 'key', Buffer.from('x'))]);
    const codes = outcomes.map((outcome) =>
      outcome.status === 'fulfilled' ? 'done' : (outcome.reason as StoreError).code,
    );
    for (const code of codes) expect(['done', 'STORE_DAMAGED', 'STORE_NOT_WRITABLE']).toContain(code);
  });
});

test('what others leave in a folder for a store does not keep its making waiting', async () => {
  const root = tempFolder();
  fs.mkdirSync(path.join(root, 'somebody'));
  await SPECIALS[0]?.make(path.join(root, 'somebody/disk.json'));
  const store = await ObjectStore.open(root, { create: true });
  expect(store.document.disks).toHaveLength(3);
});

test('a meta that is nested more deeply than the stack is high, with all its checksums right or not, is one bad copy', async () => {
  const store = await newStore(3, { redundancy: '1+1' });
  await store.put('bucket', 'key', Buffer.from('bytes'));
  const [copy] = metaCopies(store, 'key');
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  fs.writeFileSync(copy?.file ?? '', fs.readFileSync(copy?.file ?? '', 'utf8').replace('{', `{"deep":${deep},`));
  fs.writeFileSync(path.join(store.root, 'disk2/buckets/bucket/.bucket.json'), `{"deep":${deep}}`);
  fs.writeFileSync(path.join(store.root, 'disk3/disk.json'), deep);
  expect((await store.disks()).map(({ state }) => state.status)).toEqual(['online', 'online', 'unreadable']);
  fs.writeFileSync(
    path.join(store.root, 'disk3/disk.json'),
    JSON.stringify({ format: 1, store: store.document.id, name: 'disk3', id: store.document.disks[2]?.id }),
  );
  expect(String(await read(store, 'key'))).toBe('bytes');
  expect(await store.verify()).toMatchObject({ degraded: 1, lost: 0, buckets: 1 });
  expect(await store.heal()).toMatchObject({ whole: 1, settled: 2, failed: [] });
  await expectWhole(store);
  fs.writeFileSync(path.join(store.root, 'store.json'), deep);
  expect((await failure(ObjectStore.open(store.root))).code).toBe('STORE_DAMAGED');
});

test('a meta whose chunks contradict each other is one bad copy', async () => {
  const store = await newStore(3, { redundancy: '1+1' });
  await store.put('bucket', 'key', Buffer.from('bytes'));
  const [copy] = metaCopies(store, 'key');
  forge(copy?.file ?? '', (meta) => {
    for (const list of ['chunks', 'parity'])
      (meta[list] as { size: number }[]).forEach((shard) => {
        shard.size = 0;
      });
    meta['size'] = 0;
  });
  expect(String(await read(store, 'key'))).toBe('bytes');
  expect(await store.verify()).toMatchObject({ degraded: 1, lost: 0 });
  expect(await store.heal()).toMatchObject({ whole: 1, settled: 1 });
  await expectWhole(store);
});
