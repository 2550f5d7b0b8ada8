import { cpSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { ObjectStore } from '../../src/index.ts';
import { chunkFile, fanOutOf } from '../../src/metadata/shard-file.ts';
import type { Door } from '../support/build.ts';
import { seededBytes } from '../support/bytes.ts';

/** An object that an operation may touch: its bytes before and after, undefined where it is absent. */
export interface Expected {
  key: string;
  before: Buffer | undefined;
  after: Buffer | undefined;
}

/** A command that can be run under strace, and the store that it finds. */
export interface Runnable {
  name: string;
  /** Makes the store that the command finds, in a folder that is not there yet. */
  prepare: (root: string) => Promise<void>;
  /** `care`: a script that calls the library (`care-script.ts`). */
  door: Door | 'care';
  args: (root: string, input: string) => string[];
  /** Whether threads of disks make some of the calls; if not given, one thread makes all of them. */
  threads?: 'one' | 'several' | undefined;
}

/** A command, the store that it finds, and what it does to it. */
export interface Scenario extends Runnable {
  door: Door;
  /** Fewer crash points than this would mean that the tests miss some. */
  least: number;
  objects: Expected[];
  /** Whether a command that fails must leave the store as tidy as it was. */
  undoes: boolean;
  /** Whether it has no result to print. */
  silent: boolean;
  /** Whether full disks are tried on it. */
  fills: boolean;
  /** Whether errors that last are tried on it too. */
  persistently: boolean;
}

export const BUCKET = 'my-bucket';

const MIB = 1024 * 1024;
/** Three chunks, the last one short: the smallest object with a chunk on every disk. */
export const NEW = seededBytes(2 * MIB + 5, 'new');
const OLD = seededBytes(2 * MIB + 4000, 'old');
const OTHER = seededBytes(3000, 'other');
const NEXT = seededBytes(MIB + 1, 'next');

/** What the tests upload after a fault, to see that life goes on. */
export const AFTERWARDS = NEXT;

const upload = (key: string) => (root: string, input: string) => [
  BUCKET,
  input,
  '--key',
  key,
  '--root',
  root,
  '--json',
  '--quiet',
];
const other: Expected = { key: 'other', before: OTHER, after: OTHER };

async function withOther(root: string): Promise<ObjectStore> {
  const store = await ObjectStore.init(root);
  await store.createBucket(BUCKET);
  await store.put(BUCKET, 'other', OTHER);
  return store;
}

export const OVERWRITE: Scenario = {
  name: 'an overwrite',
  least: 40,
  prepare: async (root) => {
    const store = await withOther(root);
    await store.put(BUCKET, 'demo.txt', OLD);
  },
  door: 'upload',
  args: upload('demo.txt'),
  objects: [{ key: 'demo.txt', before: OLD, after: NEW }, other],
  undoes: true,
  silent: false,
  fills: true,
  persistently: true,
};

export const SCENARIOS: Scenario[] = [
  {
    name: 'the first upload of all',
    least: 80,
    prepare: () => Promise.resolve(),
    door: 'upload',
    args: upload('demo.txt'),
    objects: [{ key: 'demo.txt', before: undefined, after: NEW }],
    undoes: true,
    silent: false,
    fills: true,
    persistently: true,
  },
  {
    name: 'the upload of a new object with a nested key',
    least: 40,
    prepare: async (root) => {
      await withOther(root);
    },
    door: 'upload',
    args: upload('photos/2026/sea.jpg'),
    objects: [{ key: 'photos/2026/sea.jpg', before: undefined, after: NEW }, other],
    undoes: true,
    silent: false,
    fills: false,
    persistently: false,
  },
  OVERWRITE,
  {
    name: 'a delete',
    least: 12,
    prepare: async (root) => {
      const store = await withOther(root);
      await store.put(BUCKET, 'old/demo.txt', OLD);
    },
    door: 'store',
    args: (root) => ['rm', `${BUCKET}/old/demo.txt`, '--root', root, '--json'],
    objects: [{ key: 'old/demo.txt', before: OLD, after: undefined }, other],
    undoes: true,
    silent: false,
    fills: false,
    persistently: true,
  },
  {
    name: 'a gc',
    least: 40,
    prepare: prepareGarbage,
    door: 'store',
    args: (root) => ['gc', '--root', root, '--json'],
    objects: [
      { key: 'half/committed', before: NEW, after: NEW },
      { key: 'half/deleted', before: OTHER, after: OTHER },
      { key: 'deleted/while/away', before: undefined, after: undefined },
      other,
    ],
    undoes: false,
    silent: false,
    fills: false,
    persistently: false,
  },
  {
    name: 'making a bucket',
    least: 18,
    prepare: async (root) => {
      await ObjectStore.init(root);
    },
    door: 'store',
    args: (root) => ['bucket', 'create', BUCKET, '--root', root],
    objects: [{ key: 'none', before: undefined, after: undefined }],
    undoes: true,
    silent: false,
    fills: false,
    persistently: false,
  },
  {
    name: 'removing a bucket',
    least: 9,
    prepare: async (root) => {
      await (await ObjectStore.init(root)).createBucket(BUCKET);
    },
    door: 'store',
    args: (root) => ['bucket', 'rm', BUCKET, '--root', root],
    objects: [{ key: 'none', before: undefined, after: undefined }],
    undoes: true,
    silent: false,
    fills: false,
    persistently: false,
  },
];

/** A store with everything that gc mends: as operations leave it that died, or that went on while a disk was away. */
async function prepareGarbage(root: string): Promise<void> {
  const store = await withOther(root);
  const meta = (disk: string, key: string): string => path.join(root, disk, 'buckets', BUCKET, `${key}.meta.json`);

  // A delete that died when it had unlinked the first meta.
  await store.put(BUCKET, 'half/deleted', OTHER);
  rmSync(meta('disk1', 'half/deleted'));

  // A tombstone on two disks, and on the third, which was away, the object's last copy.
  await store.put(BUCKET, 'deleted/while/away', OTHER);
  renameSync(path.join(root, 'disk3'), path.join(root, 'away'));
  await store.delete(BUCKET, 'deleted/while/away');
  renameSync(path.join(root, 'away'), path.join(root, 'disk3'));

  // An overwrite that died when it had published its meta on the first disk only.
  await store.put(BUCKET, 'half/committed', OLD);
  const kept = path.join(root, '..', 'kept');
  cpSync(root, kept, { recursive: true });
  await store.put(BUCKET, 'half/committed', NEW);
  for (const disk of ['disk2', 'disk3'])
    cpSync(meta(disk, 'half/committed').replace(root, kept), meta(disk, 'half/committed'));
  for (const disk of ['disk1', 'disk2', 'disk3']) {
    cpSync(path.join(kept, disk, 'chunks'), path.join(root, disk, 'chunks'), { recursive: true });
  }
  rmSync(kept, { recursive: true });

  // An upload that died among its chunks, and one that died when its metas were staged.
  const dead = '01a203c2-e548-7219-94ee-11324b4421a9';
  for (const disk of ['disk1', 'disk2', 'disk3']) {
    mkdirSync(path.join(root, disk, fanOutOf(dead)), { recursive: true });
    writeFileSync(path.join(root, disk, chunkFile(dead, 0)), 'torn');
    writeFileSync(path.join(root, disk, 'tmp', dead), 'staged');
  }
  if (readdirSync(path.join(root, 'disk1', 'tmp')).length !== 1) throw new Error('the garbage is not as planned');

  // A bucket that one disk has not heard of, the folders of a key that is gone, and a bucket that never got its document.
  rmSync(path.join(root, 'disk2', 'buckets', BUCKET, '.bucket.json'));
  for (const folder of [`${BUCKET}/gone/deep`, 'never-made'])
    mkdirSync(path.join(root, 'disk2', 'buckets', folder), { recursive: true });
}
