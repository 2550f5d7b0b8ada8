import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { FaultyDisk, type PlannedFault } from '../../support/faulty-disk.ts';
import type { ObjectStore } from '../../../src/index.ts';
import { replaceDisk } from '../../../src/store/fleet/replace.ts';
import { seededBytes } from '../../support/bytes.ts';
import { Cli } from '../../support/cli.ts';
import { contextOf } from '../../support/context.ts';
import { OBSTACLES, obstruct } from '../../support/obstacles.ts';
import { expectAll, expectWhole, metasOf, shardsIn } from '../../support/shards.ts';
import { failure, MIB, newStore, tree } from '../../support/store.ts';
import { tempFolder } from '../../support/temp.ts';

async function filled(
  disks: number,
  redundancy: string,
): Promise<{ store: ObjectStore; objects: Map<string, Buffer> }> {
  const store = await newStore(disks, { redundancy });
  const objects = new Map(['a/one', 'a/two', 'top'].map((key) => [key, seededBytes(3 * MIB, key)]));
  for (const [key, bytes] of objects) await store.put('bucket', key, bytes);
  return { store, objects };
}

/** A fault of disk2 in the eyes of one process. */
async function replaceFailing(
  store: ObjectStore,
  fault: Omit<PlannedFault, 'effect'>,
  place: string,
): Promise<boolean> {
  const plan: PlannedFault = { times: Infinity, ...fault, effect: { kind: 'fail', errno: 'EIO' } };
  const context = await contextOf(store, (disk) => (disk.name === 'disk2' ? new FaultyDisk(disk, [plan]) : disk));
  return replaceDisk(context, 'disk2', place, {});
}

/** What a disk holds, and what its folder is: not its folder for staged files, which a look at it uses. */
function stateOf(store: ObjectStore): string[] {
  return tree(store.root, { stamps: true }).filter((line) => !line.startsWith('.lock') && !/^disk\d\/tmp /.test(line));
}

test.each<[string, Omit<PlannedFault, 'effect'>]>([
  ['list its buckets', { operation: 'list', path: 'buckets' }],
  ['list a key’s folder', { operation: 'list', path: 'buckets/bucket/a' }],
  ['list its chunks', { operation: 'list', path: 'chunks' }],
  ['list a version’s folder', { operation: 'list', path: /^chunks\/./ }],
  ['list its staged files', { operation: 'list', path: 'tmp' }],
  ['write a file', { operation: 'stage' }],
  ['remove a file', { operation: 'discard' }],
  ['read metas', { operation: 'read', path: /one\.meta\.json$/ }],
  ['read a bucket’s document', { operation: 'read', path: /\.bucket\.json$/ }],
])('a disk that answers its mark but cannot %s can be replaced', async (_, fault) => {
  const { store, objects } = await filled(4, '2+1');
  const spare = tempFolder();
  expect(await replaceFailing(store, fault, spare)).toBe(true);
  expect(fs.readlinkSync(path.join(store.root, 'disk2'))).toBe(spare);
  expect(await store.heal()).toMatchObject({ whole: 3, joined: ['disk2'], failed: [] });
  await expectWhole(store);
  await expectAll(store, objects);
});

test.each(OBSTACLES)(
  'so can one with a %s in the place of a folder; its own folder is set aside as it is',
  async (kind) => {
    const { store, objects } = await filled(4, '2+1');
    await obstruct(path.join(store.root, 'disk2', 'buckets/bucket/a'), kind);
    const before = fs.readdirSync(path.join(store.root, 'disk2', 'chunks'));
    const moved: string[] = [];
    expect(await store.replaceDisk('disk2', tempFolder(), { onOldFolder: (folder) => moved.push(folder) })).toBe(true);
    expect(moved).toEqual([path.join(store.root, '.disk2.replaced')]);
    expect(fs.readdirSync(path.join(store.root, '.disk2.replaced', 'chunks'))).toEqual(before);
    expect(await store.heal()).toMatchObject({ whole: 3, joined: ['disk2'], failed: [] });
    await expectWhole(store);
    await expectAll(store, objects);
  },
);

test('one in which a look finds nothing wrong is replaced only when it is said to be failing', async () => {
  const { store, objects } = await filled(4, '2+1');
  const spare = tempFolder();
  const before = stateOf(store);
  const refused = await failure(store.replaceDisk('disk2', spare));
  expect(refused).toMatchObject({ code: 'DISK_EXISTS', disk: 'disk2' });
  expect(refused.message).toContain('--failing');
  for (const place of [undefined, path.join(store.root, 'disk2')]) {
    expect(await failure(store.replaceDisk('disk2', place, { failing: true }))).toMatchObject({ code: 'DISK_EXISTS' });
  }
  expect(
    await failure(store.replaceDisk('disk2', path.join(store.root, 'disk2', 'inside'), { failing: true })),
  ).toMatchObject({ code: 'BAD_ROOT' });
  expect(await failure(store.replaceDisk('disk2', path.join(spare, 'nowhere'), { failing: true }))).toMatchObject({
    code: 'BAD_ROOT',
  });
  expect(stateOf(store)).toEqual(before);
  expect(await store.replaceDisk('disk2', spare, { failing: true })).toBe(true);
  expect(await store.heal()).toMatchObject({ whole: 3, joined: ['disk2'], failed: [] });
  await expectWhole(store);
  await expectAll(store, objects);
});

test('what can be read only with the failing disk is never given up: it is refused until that has been drained', async () => {
  const { store, objects } = await filled(3, '1+0');
  await obstruct(path.join(store.root, 'disk2', 'buckets/bucket/a'), 'file');
  const spare = tempFolder();
  const before = stateOf(store);
  for (const failing of [false, true]) {
    const refused = await failure(store.replaceDisk('disk2', spare, { failing }));
    // Which of them has chunks there is chance.
    expect(refused).toMatchObject({
      code: 'DISK_NEEDED',
      disk: 'disk2',
      bucket: 'bucket',
      key: expect.any(String) as string,
    });
    expect(refused.message).toContain('store disk drain disk2');
  }
  expect(stateOf(store)).toEqual(before);
  expect((await store.drainDisk('disk2')).failed).toEqual([]);
  expect(await store.replaceDisk('disk2', spare)).toBe(true);
  expect(await store.heal()).toMatchObject({ whole: 3, joined: ['disk2'], failed: [] });
  await expectWhole(store);
  await expectAll(store, objects);
});

test('what cannot be read on the failing disk either keeps nobody from replacing it', async () => {
  const { store, objects } = await filled(3, '1+0');
  for (const meta of await metasOf(store)) {
    for (const shard of shardsIn(meta))
      if (shard.disk === 'disk2') fs.writeFileSync(path.join(store.root, 'disk2', shard.file), 'bad sectors');
  }
  expect(await store.replaceDisk('disk2', tempFolder(), { failing: true })).toBe(true);
  expect(await store.heal()).toMatchObject({ lost: objects.size, joined: ['disk2'] });
});

test('a meta that only the failing disk and too few others can give keeps it', async () => {
  const { store } = await filled(3, '1+2');
  fs.writeFileSync(path.join(store.root, 'disk1/buckets/bucket/top.meta.json'), 'damaged');
  const refused = await failure(store.replaceDisk('disk2', tempFolder(), { failing: true }));
  expect(refused).toMatchObject({ code: 'DISK_NEEDED', key: 'top' });
  await store.heal();
  expect(await store.replaceDisk('disk2', tempFolder(), { failing: true })).toBe(true);
});

test('the command says what it did with the old folder, and heals; without --failing it says what a look found', async () => {
  const cli = new Cli({ stdin: 'content' });
  await cli.store('init', '--disks', '3', '--redundancy', '1+1', '--durability', 'none');
  await cli.upload('bucket', '-', '--key', 'key');
  const spare = tempFolder();
  expect(await cli.store('disk', 'replace', 'disk2', spare)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(
      'a look at it finds nothing wrong; if it fails otherwise, replace it with --failing',
    ) as string,
  });
  const replaced = await cli.store('disk', 'replace', 'disk2', spare, '--failing');
  expect(replaced.code).toBe(0);
  expect(replaced.stdout).toContain(`accepted ${spare} as the new disk "disk2"`);
  expect(replaced.stderr).toContain(`the folder of the old disk is ${path.join(cli.root, '.disk2.replaced')} now`);
  expect(await cli.store('verify')).toMatchObject({ code: 0 });
  expect(fs.existsSync(path.join(cli.root, '.disk2.replaced', 'disk.json'))).toBe(true);
});
