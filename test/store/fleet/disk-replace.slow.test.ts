import * as fs from 'node:fs';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import { expect, test, vi } from 'vitest';
import { ObjectStore } from '../../../src/index.ts';
import { seededBytes } from '../../support/bytes.ts';
import { gate } from '../../support/context.ts';
import { NOTHING_TO_DO } from '../../support/gc.ts';
import { choices, Dice, expectAll, expectWhole } from '../../support/shards.ts';
import { diskNames, failure, filesIn, keysOf, MIB, newStore, read, takeAway, tree } from '../../support/store.ts';
import { tempFolder } from '../../support/temp.ts';

async function filled(
  disks: number,
  redundancy: string,
  sizes = [0, 1, MIB + 1, 5 * MIB],
): Promise<{ store: ObjectStore; objects: Map<string, Buffer> }> {
  const store = await newStore(disks, { redundancy });
  const objects = new Map(sizes.map((size, index) => [`key ${index}`, seededBytes(size, index)]));
  for (const [key, bytes] of objects) await store.put('bucket', key, bytes);
  return { store, objects };
}

function rolesOf(store: ObjectStore): (string | undefined)[] {
  return store.document.disks.map(({ role }) => role);
}

test.each([
  { redundancy: '1+1', parity: 1, disks: 3 },
  { redundancy: '2+1', parity: 1, disks: 4 },
  { redundancy: '4+2', parity: 2, disks: 6 },
])(
  '$redundancy on $disks disks: any $parity of them lost, replaced and healed; then as many others may be lost',
  async ({ redundancy, parity, disks }) => {
    const { store, objects } = await filled(disks, redundancy);
    const dice = new Dice();
    const names = diskNames(store);
    for (const pattern of dice.some(choices(disks, parity), 3)) {
      const lost = pattern.map((index) => names[index] ?? '');
      for (const [index, disk] of lost.entries()) {
        fs.rmSync(path.join(store.root, disk), { recursive: true });
        // Missing, or an empty folder, as a new one that is mounted there.
        if (index % 2 === 1) fs.mkdirSync(path.join(store.root, disk));
        expect(await store.replaceDisk(disk)).toBe(true);
      }
      await expectAll(store, objects);
      const before = await store.verify();
      expect(before).toMatchObject({ objects: objects.size, lost: 0 });
      expect(before.degraded).toBeGreaterThan(0);
      const report = await store.heal();
      expect(report).toMatchObject({ objects: objects.size, whole: objects.size, moved: 0, failed: [] });
      expect(report.joined.sort()).toEqual([...lost].sort());
      expect(rolesOf(store)).toEqual(names.map(() => undefined));
      await expectWhole(store);
      expect(await store.gc()).toEqual(NOTHING_TO_DO);
      const others = dice.some(
        names.filter((name) => !lost.includes(name)),
        parity,
      );
      const back = others.map((disk) => takeAway(store, disk));
      await expectAll(store, objects);
      for (const put of back) put();
    }
  },
);

test('a disk can be replaced by one elsewhere, which is linked into the store; the old link goes', async () => {
  const { store, objects } = await filled(3, '1+1');
  takeAway(store, 'disk2');
  const elsewhere = tempFolder();
  expect(await store.replaceDisk('disk2', elsewhere)).toBe(true);
  expect(fs.readlinkSync(path.join(store.root, 'disk2'))).toBe(elsewhere);
  expect(store.document.disks[1]).toMatchObject({ name: 'disk2', path: elsewhere, role: 'joining' });
  expect(await store.heal()).toMatchObject({ whole: 4, joined: ['disk2'] });
  await expectWhole(store);
  // And again, from elsewhere to somewhere else.
  fs.rmSync(elsewhere, { recursive: true });
  const third = tempFolder();
  expect(await store.replaceDisk('disk2', third)).toBe(true);
  expect(fs.readlinkSync(path.join(store.root, 'disk2'))).toBe(third);
  expect(await store.heal()).toMatchObject({ whole: 4, joined: ['disk2'] });
  await expectWhole(store);
  await expectWhole(store);
  await expectAll(store, objects);
});

test('a disk that is linked to a place that is gone can be replaced by a folder in the store itself', async () => {
  const elsewhere = path.join(tempFolder(), 'elsewhere');
  const { store, objects } = await filled(3, '1+1');
  fs.renameSync(path.join(store.root, 'disk2'), elsewhere);
  await store.replaceDisk('disk2', elsewhere);
  fs.rmSync(elsewhere, { recursive: true });
  expect(await store.replaceDisk('disk2', path.join(store.root, 'disk2'))).toBe(true);
  expect(fs.lstatSync(path.join(store.root, 'disk2')).isDirectory()).toBe(true);
  expect(await store.heal()).toMatchObject({ whole: 4, joined: ['disk2'] });
  await expectWhole(store);
  await expectAll(store, objects);
});

test('a disk that was moved by hand, with its mark, is accepted as it is: nothing to heal', async () => {
  const { store, objects } = await filled(3, '1+1');
  const { id } = store.document.disks[2] ?? {};
  const elsewhere = path.join(tempFolder(), 'moved');
  fs.renameSync(path.join(store.root, 'disk3'), elsewhere);
  expect(await store.replaceDisk('disk3', elsewhere)).toBe(false);
  expect(store.document.disks[2]).toEqual({ name: 'disk3', id, path: elsewhere });
  await expectWhole(store);
  await expectAll(store, objects);
  expect(fs.readlinkSync(path.join(store.root, 'disk3'))).toBe(elsewhere);
  const again = await ObjectStore.open(store.root);
  await expectWhole(again);
});

test('what cannot be replaced, or not by that folder, is refused and stays as it was', async () => {
  const { store } = await filled(3, '1+1');
  const folder = tempFolder();
  const used = path.join(folder, 'used');
  fs.mkdirSync(used);
  fs.writeFileSync(path.join(used, 'file'), 'somebody else’s');
  const file = path.join(folder, 'file');
  fs.writeFileSync(file, '');
  const spare = path.join(folder, 'spare');
  // A look at a disk writes and removes a staged file.
  const all = (): string[] =>
    tree(store.root, { stamps: true }).filter((line) => !line.startsWith('.lock') && !line.startsWith('disk2/tmp '));
  const before = all();
  const refused = async (name: string, where: string | undefined, code: string): Promise<void> => {
    const outside = tree(folder);
    expect(await failure(store.replaceDisk(name, where))).toMatchObject({ code });
    expect(tree(folder)).toEqual(outside);
  };
  await refused('disk9', spare, 'NO_SUCH_DISK');
  await refused('disk2', undefined, 'DISK_EXISTS');
  await refused('disk2', spare, 'DISK_EXISTS');
  expect(all()).toEqual(before);
  const back = takeAway(store, 'disk2');
  const away = tree(store.root);
  await refused('disk2', used, 'BAD_ROOT');
  await refused('disk2', file, 'BAD_ROOT');
  await refused('disk2', path.join(store.root, 'disk1'), 'BAD_ROOT');
  await refused('disk2', path.join(store.root, 'disk1', 'chunks', 'inside'), 'BAD_ROOT');
  await refused('disk2', store.root, 'BAD_ROOT');
  expect(tree(store.root)).toEqual(away);
  back();
  await expectWhole(store);
});

test('the old disk, when it comes back after it was replaced, is a stranger that nobody writes to', async () => {
  const { store, objects } = await filled(3, '1+1');
  const back = takeAway(store, 'disk2');
  await store.replaceDisk('disk2');
  await store.heal();
  fs.rmSync(path.join(store.root, 'disk2'), { recursive: true });
  back();
  expect((await store.disks())[1]?.state.status).toBe('former');
  const before = tree(path.join(store.root, 'disk2'), { stamps: true });
  await expectAll(store, objects);
  await store.put('bucket', 'new', Buffer.from('new'));
  await store.heal();
  expect(tree(path.join(store.root, 'disk2'), { stamps: true })).toEqual(before);
});

test.each([
  { place: 'where it was', elsewhere: false },
  { place: 'at another path', elsewhere: true },
])(
  'the old disk, $place, can be taken back: its chunks count again, its metas do not, and nothing returns',
  async ({ elsewhere }) => {
    const { store, objects } = await filled(3, '1+0');
    const away = path.join(tempFolder(), 'away');
    const bare = [...objects.keys()];
    await store.put('bucket', 'gone', seededBytes(3 * MIB, 1));
    await store.put('bucket', 'over', seededBytes(3 * MIB, 2));
    fs.renameSync(path.join(store.root, 'disk2'), away);
    await store.replaceDisk('disk2');
    // Every disk has the tombstone, so it is forgotten; only the old disk still shows the object.
    await store.delete('bucket', 'gone');
    await store.put('bucket', 'over', Buffer.from('over'), { redundancy: '1+1' });
    objects.set('over', Buffer.from('over'));
    const { lost } = await store.heal();
    expect(lost).toBeGreaterThan(0);
    fs.rmSync(path.join(store.root, 'disk2'), { recursive: true });
    if (!elsewhere) fs.renameSync(away, path.join(store.root, 'disk2'));
    expect(await store.replaceDisk('disk2', elsewhere ? away : undefined)).toBe(true);
    expect(await failure(store.head('bucket', 'gone'))).toMatchObject({ code: 'NO_SUCH_KEY' });
    const report = await store.heal();
    expect(report.joined).toEqual(['disk2']);
    await expectAll(store, objects);
    expect(await keysOf(store)).toEqual([...bare, 'over'].sort());
    await expectWhole(store);
    expect(await store.gc()).toEqual(NOTHING_TO_DO);
  },
);

test('a disk is not replaced by a folder that is not there, which is most likely a mistake', async () => {
  const { store } = await filled(3, '1+1');
  takeAway(store, 'disk2');
  const before = tree(store.root);
  const nowhere = path.join(tempFolder(), 'nowhere');
  expect(await failure(store.replaceDisk('disk2', nowhere))).toMatchObject({
    code: 'BAD_ROOT',
    message: `there is no folder "${nowhere}"`,
  });
  expect(tree(store.root)).toEqual(before);
  expect(fs.existsSync(nowhere)).toBe(false);
});

test('until it has joined, a replaced disk says nothing: beside a stale one it hides no acknowledged object and brings none back', async () => {
  const { store, objects } = await filled(3, '1+2', [10, 20, 30]);
  // disk1 misses an upload, an overwrite and a delete; then disk2 is lost and replaced, and disk3 goes away.
  const back = takeAway(store, 'disk1');
  await store.put('bucket', 'new', Buffer.from('new'), { redundancy: '1+1' });
  await store.put('bucket', 'key 0', Buffer.from('newer'), { redundancy: '1+1' });
  await store.delete('bucket', 'key 1');
  back();
  fs.rmSync(path.join(store.root, 'disk2'), { recursive: true });
  await store.replaceDisk('disk2');
  const returned = takeAway(store, 'disk3');
  const before = filesIn(store.root).filter((file) => file.includes('.meta.json'));
  const operations = [
    store.head('bucket', 'new'),
    read(store, 'key 0'),
    read(store, 'key 1'),
    keysOf(store),
    store.verify(),
    store.delete('bucket', 'key 0'),
  ];
  for (const error of await Promise.all(operations.map(failure)))
    expect(error.code).toMatch(/^TOO_FEW_DISKS_TO_(READ|WRITE)$/);
  // What may write without asking R disks must not make the stale ones count.
  await store.heal().catch(() => undefined);
  await store.gc().catch(() => undefined);
  expect(rolesOf(store)).toEqual([undefined, 'joining', undefined]);
  returned();
  expect(before.length).toBeGreaterThan(0);
  objects.delete('key 1');
  objects.set('key 0', Buffer.from('newer')).set('new', Buffer.from('new'));
  await expectAll(store, objects);
  expect(await keysOf(store)).toEqual(['key 0', 'key 2', 'new']);
  expect(await store.heal()).toMatchObject({ objects: 3, whole: 3, joined: ['disk2'], failed: [] });
  for (const disk of diskNames(store)) {
    const put = takeAway(store, disk);
    await expectAll(store, objects);
    expect(await keysOf(store)).toEqual(['key 0', 'key 2', 'new']);
    put();
  }
});

test('an acknowledged write is not outdated by an older one that only an absent disk has, whatever the clocks were', async () => {
  const store = await newStore(3, { redundancy: '1+1' });
  await store.put('bucket', 'key', Buffer.from('first'));
  const back = takeAway(store, 'disk1');
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 });
  try {
    await store.put('bucket', 'key', Buffer.from('by a clock that is ahead'));
  } finally {
    vi.useRealTimers();
  }
  back();
  takeAway(store, 'disk2');
  await store.replaceDisk('disk2');
  for (let times = 0; times < 2; times++) await store.put('bucket', 'other', Buffer.from('x'));
  // Of the two disks that are left, one is stale and one knows nothing: they are enough to write, and not to read.
  const returned = takeAway(store, 'disk3');
  const expected = await store.put('bucket', 'key', Buffer.from('last')).then(
    () => 'last',
    () => 'by a clock that is ahead',
  );
  returned();
  expect((await read(store, 'key')).toString()).toBe(expected);
});

test('chunks that went to a disk that was replaced before the commit count as not written', async () => {
  for (const redundancy of ['1+0', '2+1']) {
    const store = await newStore(4, { redundancy });
    const bytes = seededBytes(8 * MIB, 'replaced');
    const written = gate();
    let counted = 0;
    const onBytes = (): void => {
      if (++counted === 6) written.open();
    };
    async function* slowly(): AsyncGenerator<Buffer> {
      yield bytes.subarray(0, 6 * MIB);
      await written.opened;
      takeAway(store, 'disk2');
      await store.replaceDisk('disk2');
      yield bytes.subarray(6 * MIB);
    }
    const outcome = await store
      .put('bucket', 'key', Readable.from(slowly()), { onBytes })
      .catch((error: unknown) => error);
    if (outcome instanceof Error) {
      expect(outcome).toMatchObject({ code: 'TOO_FEW_DISKS_TO_WRITE' });
      expect(await keysOf(store)).toEqual([]);
    } else {
      expect((await read(store, 'key')).equals(bytes)).toBe(true);
      const { unwritten } = outcome as Awaited<ReturnType<ObjectStore['put']>>;
      let problems = 0;
      await store.verify({
        onObject: (health) => {
          if (health.key === 'key') problems += health.problems.length;
        },
      });
      expect(unwritten.length).toBe(problems);
    }
  }
});

test('an older copy of a disk is not taken for the disk while that is there: what was deleted would come back with it', async () => {
  const { store, objects } = await filled(3, '2+1', [10, 20]);
  const copy = path.join(tempFolder(), 'copy');
  fs.cpSync(path.join(store.root, 'disk2'), copy, { recursive: true });
  await store.delete('bucket', 'key 0');
  objects.delete('key 0');
  expect(await failure(store.replaceDisk('disk2', copy))).toMatchObject({ code: 'DISK_EXISTS', disk: 'disk2' });
  await store.heal();
  expect(await keysOf(store)).toEqual(['key 1']);
  await expectAll(store, objects);
});

test('a replacement that was interrupted before it was healed is gone on with by the same command', async () => {
  const { store, objects } = await filled(3, '2+1', [10, MIB + 1]);
  fs.rmSync(path.join(store.root, 'disk2'), { recursive: true });
  expect(await store.replaceDisk('disk2')).toBe(true);
  expect(await store.replaceDisk('disk2')).toBe(true);
  await store.heal();
  await expectWhole(store);
  await expectAll(store, objects);
});

test('a disk is not replaced while so many others are away that nobody knows what it should have, unless told so', async () => {
  const { store, objects } = await filled(3, '1+2', [10, 20]);
  fs.rmSync(path.join(store.root, 'disk1'), { recursive: true });
  const back = takeAway(store, 'disk3');
  expect(await failure(store.replaceDisk('disk1'))).toMatchObject({
    code: 'TOO_FEW_DISKS_TO_READ',
    disk: 'disk1',
    expected: 2,
    found: 1,
  });
  expect(fs.existsSync(path.join(store.root, 'disk1'))).toBe(false);
  expect(await store.replaceDisk('disk1', undefined, { allowStale: true })).toBe(true);
  await store.heal({ allowStale: true });
  await expectAll(store, objects);
  back();
  await store.heal();
  await expectWhole(store);
});
