import * as fs from 'node:fs';
import { expect, test } from 'vitest';
import type { Disk, ReadOutcome } from '../../../src/disks/disk.ts';
import { StoreError } from '../../../src/errors.ts';
import type { ObjectStore } from '../../../src/index.ts';
import { compareUtf8 } from '../../../src/metadata/names.ts';
import type { StoreContext } from '../../../src/store/protocol/context.ts';
import { Walk, type WalkedMeta } from '../../../src/store/protocol/walk.ts';
import { list } from '../../../src/store/objects/list.ts';
import { verify } from '../../../src/store/health/verify.ts';
import { contextOf, gate, patientContext } from '../../support/context.ts';
import { writeManyObjects } from '../../support/many-objects.ts';
import { failure, keysOf, metaCopies, newStore, takeAway } from '../../support/store.ts';

/** Lets a test come between, on every disk, when metas are read; the calls are counted per disk. */
function reading(between: (disk: Disk, paths: readonly string[], call: number) => Promise<void> | void) {
  return (disk: Disk): Disk => {
    const readMany = disk.readMany.bind(disk);
    let calls = 0;
    disk.readMany = async (paths): Promise<ReadOutcome[]> => {
      await between(disk, paths, ++calls);
      return readMany(paths);
    };
    return disk;
  };
}

/** The keys of all slices of a store's walk, slice by slice. */
async function slicesOf(context: StoreContext): Promise<string[][]> {
  const slices: string[][] = [];
  const walk = new Walk(context, await context.lookForReading());
  for await (const keys of walk.mapMetas((slice) => slice.map(({ key }) => key))) slices.push(keys);
  return slices;
}

async function storeWith(count: number): Promise<{ store: ObjectStore; keys: string[] }> {
  const store = await newStore(3);
  writeManyObjects(store, count, 'p/');
  const keys = Array.from({ length: count }, (_, index) => `p/IMG_${String(index).padStart(8, '0')}.jpg`);
  return { store, keys };
}

test('slices grow up to a bound, end at folders, and give every key once, in its order', async () => {
  const { store, keys } = await storeWith(700);
  writeManyObjects(store, 30, 'p/IMG_00000100.jpg/');
  writeManyObjects(store, 3, 'a/');
  const slices = await slicesOf(await contextOf(store));
  const found = slices.flat();
  expect(found).toEqual([...found].sort(compareUtf8));
  expect(new Set(found).size).toBe(733);
  expect(found).toEqual(expect.arrayContaining(keys));
  expect(Math.max(...slices.map(({ length }) => length))).toBeLessThanOrEqual(256);
  expect(slices.length).toBeLessThan(20);
});

test('no more than three slices are in hand, however slow their consumer is', async () => {
  const { store } = await storeWith(1500);
  let begun = 0;
  const context = await contextOf(
    store,
    reading(({ name }) => {
      if (name === 'disk1') begun++;
    }),
  );
  const walk = new Walk(context, await context.lookForReading());
  let used = 0;
  for await (const _ of walk.mapMetas(() => undefined)) {
    expect(_).toBeUndefined();
    expect(begun - used++).toBeLessThanOrEqual(4);
  }
  expect(used).toBeGreaterThan(6);
});

test('a walk that is left early leaves no read behind, and none that fails unheard', async () => {
  const { store } = await storeWith(600);
  const shortage = new StoreError('OUT_OF_RESOURCES', 'no descriptors are left');
  let underWay = 0;
  const wrap = (disk: Disk): Disk => {
    const readMany = disk.readMany.bind(disk);
    let calls = 0;
    disk.readMany = async (paths): Promise<ReadOutcome[]> => {
      underWay++;
      try {
        const outcomes = await readMany(paths);
        return ++calls > 1 ? outcomes.map(() => ({ error: shortage })) : outcomes;
      } finally {
        underWay--;
      }
    };
    return disk;
  };
  const context = await contextOf(store, wrap);
  for await (const entry of list(context, 'bucket', {})) {
    expect(entry).toMatchObject({ key: 'p/IMG_00000000.jpg' });
    break;
  }
  expect(underWay).toBe(0);
  const all = async (): Promise<void> => {
    for await (const { kind } of list(context, 'bucket', {})) expect(kind).toBe('object');
  };
  expect((await failure(all())).code).toBe('OUT_OF_RESOURCES');
  expect(underWay).toBe(0);
});

test('a key that is deleted, and one that is overwritten, after their folder has been listed are told as they are when they are read', async () => {
  const { store, keys } = await storeWith(300);
  const [gone = '', changed = ''] = [keys[200], keys[299]];
  let isChanged: Promise<void> | undefined;
  const change = async (): Promise<void> => {
    await store.delete('bucket', gone);
    await store.put('bucket', changed, Buffer.from('longer'));
  };
  const wrap = reading(async (_, paths, call) => {
    if (call > 1 || paths.length > 0) await (isChanged ??= change());
  });
  const sizes = new Map<string, number>();
  for await (const entry of list(await contextOf(store, wrap), 'bucket', {}))
    if (entry.kind === 'object') sizes.set(entry.key, entry.size);
  expect([...sizes.keys()]).toEqual(keys.filter((key) => key !== gone));
  expect(sizes.get(changed)).toBe(6);
});

test('disks that are exchanged for others between a listing and the reads that follow are noticed before what they lack is believed', async () => {
  const { store } = await storeWith(300);
  let isDone = false;
  const wrap = reading(() => {
    if (isDone) return;
    isDone = true;
    // They have all folders, and look as if every object had just been deleted.
    for (const disk of ['disk1', 'disk2']) {
      takeAway(store, disk);
      fs.mkdirSync(`${store.root}/${disk}/buckets/bucket/p`, { recursive: true });
    }
  });
  const all = async (): Promise<void> => {
    for await (const { kind } of list(await contextOf(store, wrap), 'bucket', {})) expect(kind).toBe('object');
  };
  expect((await failure(all())).code).toBe('TOO_FEW_DISKS_TO_READ');
});

test('a damaged copy in a slice is that key’s alone, for lists, quick verify and gc', async () => {
  const { store, keys } = await storeWith(300);
  const [bad = '', worse = ''] = [keys[123], keys[124]];
  const copies = (key: string): string[] => metaCopies(store, key).map(({ file }) => file);
  // Not in place: the copies are links to one file.
  for (const file of [...copies(bad).slice(1, 2), ...copies(worse)]) {
    fs.rmSync(file);
    fs.writeFileSync(file, '{}');
  }
  const damaged: string[] = [];
  const found: string[] = [];
  for await (const { key } of store.list('bucket', { onDamaged: (key) => damaged.push(key) })) found.push(key);
  expect(found).toEqual(keys.filter((key) => key !== worse));
  expect(damaged).toEqual([worse]);
  const hurt: string[] = [];
  const report = await store.verify({
    quick: true,
    onObject: ({ key, state }) => {
      if (state !== 'whole') hurt.push(`${key} ${state}`);
    },
  });
  expect(hurt).toEqual([`${bad} degraded`, `${worse} lost`]);
  expect(report).toMatchObject({ objects: 300, whole: 298, degraded: 1, lost: 1 });
  expect((await store.gc({ dryRun: true })).kept.length).toBeGreaterThan(0);
});

test('a disk that hangs during a walk is given up, and the others answer', async () => {
  const { store, keys } = await storeWith(300);
  const { open, opened } = gate();
  const wrap = reading((disk, _, call) => (disk.name === 'disk2' && call > 1 ? opened : undefined));
  const context = await patientContext(store, wrap, { patience: { look: 300, work: 300, notice: 100, gate: 600 } });
  const found: string[] = [];
  for await (const { key } of keysIn(context)) found.push(key);
  expect(found).toEqual(keys);
  open();
});

async function* keysIn(context: StoreContext): AsyncGenerator<WalkedMeta> {
  const walk = new Walk(context, await context.lookForReading());
  for await (const slice of walk.mapMetas((metas) => metas)) yield* slice;
}

test('a list of folders reads no more metas in a folder than it takes to find an object', async () => {
  const { store } = await storeWith(600);
  const read: string[] = [];
  const context = await contextOf(
    store,
    reading((_, paths) => {
      read.push(...paths);
    }),
  );
  const entries = [];
  for await (const entry of list(context, 'bucket', { folders: true })) entries.push(entry);
  expect(entries).toEqual([{ kind: 'folder', prefix: 'p/' }]);
  expect(read).toHaveLength(3);
});

test('a walk over keys reads no meta', async () => {
  const { store } = await storeWith(40);
  const wrap = reading(() => {
    throw new TypeError('nobody has asked for a meta');
  });
  const context = await contextOf(store, wrap);
  let count = 0;
  await new Walk(context, await context.lookForReading()).forEach(() => {
    count++;
    return Promise.resolve();
  });
  expect(count).toBe(40);
});

test('quick verify takes no object for hurt that is overwritten between the reading of its meta and the look at its chunks', async () => {
  const store = await newStore(3);
  for (let index = 0; index < 20; index++) await store.put('bucket', `key ${index + 10}`, Buffer.from('old'));
  let isChanged: Promise<unknown> | undefined;
  const wrap = (disk: Disk): Disk => {
    const statMany = disk.statMany.bind(disk);
    disk.statMany = async (paths) => {
      await (isChanged ??= store.put('bucket', 'key 15', Buffer.from('newer')));
      return statMany(paths);
    };
    return disk;
  };
  const report = await verify(await contextOf(store, wrap), { quick: true });
  expect(isChanged).toBeDefined();
  expect(report).toMatchObject({ objects: 20, whole: 20, problems: 0 });
  expect(await keysOf(store)).toHaveLength(20);
});
