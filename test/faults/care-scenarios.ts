import { closeSync, openSync, readdirSync, renameSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs';
import * as path from 'node:path';
import { ObjectStore } from '../../src/index.ts';
import { seededBytes } from '../support/bytes.ts';
import type { Care } from './care-script.ts';
import { BUCKET, NEW, type Expected, type Runnable } from './crash-scenarios.ts';

const MIB = 1024 * 1024;
const OLD = seededBytes(MIB + 77, 'old');
const MIRROR = seededBytes(MIB + 5, 'mirror');
const STRIPES = seededBytes(2 * MIB + 9, 'stripes');
const TINY = seededBytes(900, 'tiny');

/** So many that each disk gets some of them together. */
const SMALL: Expected[] = Array.from({ length: 9 }, (_, index) => {
  const bytes = seededBytes(100 + index, `small ${index}`);
  return { key: `small/${index}`, before: bytes, after: bytes };
});

/** Something that keeps a store well, and may be interrupted anywhere. */
export interface CareScenario extends Runnable {
  door: 'care';
  care: Care;
  objects: Expected[];
  /** Fewer crash points than this would mean that the tests miss some. */
  least: number;
  /** Errors that say that it has been done already. */
  done: string[];
}

const mirror: Expected = { key: 'mirror', before: MIRROR, after: MIRROR };
const stripes: Expected = { key: 'deep/stripes', before: STRIPES, after: STRIPES };
const tiny: Expected = { key: 'tiny', before: TINY, after: TINY };
const all = [mirror, stripes, tiny];

/**
 * A store with some of three objects, that each survive the loss of a disk: one of two chunks and their copies, one of two
 * stripes, one of a few bytes.
 */
async function fill(root: string, disks: number, objects: readonly Expected[] = all): Promise<ObjectStore> {
  const store = await ObjectStore.init(root, { disks, redundancy: '2+1' });
  await store.createBucket(BUCKET);
  for (const { key, before } of objects) {
    if (before !== undefined) await store.put(BUCKET, key, before, key === 'mirror' ? { redundancy: '1+1' } : {});
  }
  return store;
}

/** A store of which something is on disk1: where an object's chunks go is chance. */
async function prepareToDrain(root: string): Promise<void> {
  const store = await fill(root, 4, []);
  for (;;) {
    const { meta } = await store.put(BUCKET, stripes.key, STRIPES);
    if ([...meta.chunks, ...meta.parity].some(({ disk }) => disk === 'disk1')) return;
  }
}

function scenario(
  name: string,
  care: Care,
  prepare: (root: string) => Promise<unknown>,
  least: number,
  { objects = all, done = [], threads }: Partial<Pick<CareScenario, 'objects' | 'done' | 'threads'>> = {},
): CareScenario {
  return {
    name,
    care,
    prepare: async (root) => {
      await prepare(root);
    },
    door: 'care',
    args: (root, input) => [root, input, JSON.stringify(care)],
    objects,
    least,
    done,
    threads,
  };
}

export const CARE: CareScenario[] = [
  scenario(
    'an upload with 2+1 over an older version',
    { do: 'put', bucket: BUCKET, key: 'demo', redundancy: '2+1' },
    async (root) => (await fill(root, 4, [tiny])).put(BUCKET, 'demo', OLD),
    20,
    { objects: [{ key: 'demo', before: OLD, after: NEW }, tiny] },
  ),
  scenario(
    'an upload with 1+1',
    { do: 'put', bucket: BUCKET, key: 'demo', redundancy: '1+1' },
    (root) => fill(root, 3, [tiny]),
    15,
    {
      objects: [{ key: 'demo', before: undefined, after: NEW }, tiny],
    },
  ),
  scenario('a heal of damaged chunks and metas', { do: 'heal' }, prepareDamaged, 20),
  scenario('a heal of a disk that comes back stale', { do: 'heal' }, prepareStale, 15, {
    objects: [
      { key: 'deep/stripes', before: undefined, after: undefined },
      { key: 'tiny', before: OLD, after: OLD },
    ],
  }),
  scenario('a heal after a disk was replaced', { do: 'heal' }, prepareReplaced, 15, { objects: [stripes, tiny] }),
  scenario('a heal of many small objects after a disk was replaced', { do: 'heal' }, prepareManyReplaced, 30, {
    objects: SMALL,
    threads: 'several',
  }),
  scenario('adding a disk', { do: 'add disk', name: 'disk4' }, (root) => fill(root, 3, [stripes, tiny]), 12, {
    objects: [stripes, tiny],
    done: ['DISK_EXISTS'],
  }),
  scenario('replacing a disk', { do: 'replace disk', name: 'disk2' }, prepareLost, 6, {
    objects: [stripes, tiny],
    done: ['DISK_EXISTS'],
  }),
  scenario('draining a disk', { do: 'drain disk', name: 'disk1' }, prepareToDrain, 8, { objects: [stripes] }),
  scenario(
    'removing a disk',
    { do: 'remove disk', name: 'disk1' },
    async (root) => (await fill(root, 4, [stripes])).drainDisk('disk1'),
    2,
    { objects: [stripes], done: ['NO_SUCH_DISK'] },
  ),
  scenario('a rebalance', { do: 'rebalance' }, prepareUneven, 8, { objects: [mirror] }),
  scenario(
    'a delete while a disk is away',
    { do: 'delete', bucket: BUCKET, key: 'deep/stripes' },
    async (root) => {
      await fill(root, 3, [stripes]);
      renameSync(path.join(root, 'disk3'), path.join(root, 'away'));
    },
    6,
    { objects: [{ ...stripes, after: undefined }], done: ['NO_SUCH_KEY'] },
  ),
];

/** Brings back the disk that a scenario has put away. */
export function bringBack(root: string): void {
  if (readdirSync(root).includes('away')) renameSync(path.join(root, 'away'), path.join(root, 'disk3'));
}

/** On one disk, of all files every third is flipped, every third cut, and every third gone. */
async function prepareDamaged(root: string): Promise<void> {
  await fill(root, 3);
  const files = ['chunks', 'buckets'].flatMap((folder) => {
    const names = readdirSync(path.join(root, 'disk2', folder), { recursive: true, encoding: 'utf8' });
    // In the order in which they were written: their folders have random names.
    names.sort((a, b) => (path.basename(a) < path.basename(b) ? -1 : 1));
    return names.map((name) => path.join(root, 'disk2', folder, name)).filter((name) => statSync(name).isFile());
  });
  for (const [index, file] of files.entries()) {
    if (index % 3 === 2) rmSync(file);
    else if (index % 3 === 1) truncateSync(file, statSync(file).size >> 1);
    else overwrite(file);
  }
}

function overwrite(file: string): void {
  const fd = openSync(file, 'r+');
  writeSync(fd, Buffer.from('damage'), 0, 6, 10);
  closeSync(fd);
}

/** While a disk was away, one object was overwritten, and one deleted. */
async function prepareStale(root: string): Promise<void> {
  const store = await fill(root, 3, [stripes, tiny]);
  renameSync(path.join(root, 'disk3'), path.join(root, 'away'));
  await store.put(BUCKET, 'tiny', OLD);
  await store.delete(BUCKET, 'deep/stripes');
  renameSync(path.join(root, 'away'), path.join(root, 'disk3'));
}

async function prepareLost(root: string): Promise<ObjectStore> {
  const store = await fill(root, 3, [stripes, tiny]);
  rmSync(path.join(root, 'disk2'), { recursive: true });
  return store;
}

async function prepareReplaced(root: string): Promise<void> {
  await (await prepareLost(root)).replaceDisk('disk2');
}

/** Of each small object, one shard and a copy of the meta are lost. */
async function prepareManyReplaced(root: string): Promise<void> {
  const store = await ObjectStore.init(root, { disks: 2, redundancy: '1+1' });
  await store.createBucket(BUCKET);
  await Promise.all(SMALL.map(({ key, before }) => store.put(BUCKET, key, before ?? Buffer.alloc(0))));
  rmSync(path.join(root, 'disk2'), { recursive: true });
  await store.replaceDisk('disk2');
}

async function prepareUneven(root: string): Promise<void> {
  const store = await ObjectStore.init(root, { disks: 2, redundancy: '1+1' });
  await store.createBucket(BUCKET);
  await store.put(BUCKET, 'mirror', MIRROR);
  await store.addDisk('disk3', path.join(root, 'disk3'));
}
