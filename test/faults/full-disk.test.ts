import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { ObjectStore } from '../../src/index.ts';
import { compiledDoor, type Door } from '../support/build.ts';
import { seededBytes } from '../support/bytes.ts';
import { tempFolder } from '../support/temp.ts';
import { countCopies, findDanglingMetas, findUntidy } from './crash-state.ts';
import { NOTHING_TO_DO } from '../support/gc.ts';
import { fillBlocks, fillInodes, freeRoom, mountProblem, mountSmall } from './full-disk-mount.ts';
import { runNode, type Ended } from './strace.ts';

const problem = mountProblem();
if (problem !== undefined) console.warn(`SKIPPED, nothing is proved about full disks: ${problem}`);

const MIB = 1024 * 1024;
const BUCKET = 'my-bucket';
const OLD = seededBytes(MIB + 7, 'old');
const LARGE = seededBytes(5 * MIB, 'large');
/** Bytes of a disk of 4 MiB that chunks leave free: the metas of many objects. */
const RESERVE = 0.02 * 4 * MIB;

describe.skipIf(problem !== undefined)('on a file system of 4 MiB', () => {
  // The whole store on it, with three disks that fill up together; and a store elsewhere whose only disk is a link to it.
  describe.each(['the whole store', 'a single linked disk'])('that holds %s', (layout) => {
    test('an upload that does not fit fails with exit code 5, names the disk and leaves nothing behind', async () => {
      const { root, small } = place(layout, 'size=4m');
      await succeed('upload', [...upload(root, OLD), '--key', 'demo.txt']);
      const before = freeRoom(small);
      const ended = await run('upload', [...upload(root, LARGE), '--key', 'demo.txt']);
      expectFull(ended);
      // A fan-out folder that was made for it stays, and has an inode.
      expect(freeRoom(small).blocks).toBe(before.blocks);
      expect(findUntidy(root)).toEqual([]);
      await expectObject(root, 'demo.txt', OLD);
      expect(await (await ObjectStore.open(root)).gc()).toEqual(NOTHING_TO_DO);
    });

    test('a store without a free block refuses uploads, deletes all the same, and then takes uploads again', async () => {
      const { root, small } = place(layout, 'size=4m');
      await refuseThenDelete(root, () => {
        fillBlocks(small);
        expect(freeRoom(small).blocks).toBe(0);
        return path.join(small, 'filler');
      });
    });

    test('a store without a free inode refuses uploads, deletes all the same, and then takes uploads again', async () => {
      const { root, small } = place(layout, 'size=4m,nr_inodes=150');
      await refuseThenDelete(root, () => {
        fillInodes(small);
        expect(freeRoom(small).inodes).toBe(0);
        return path.join(small, 'fillers');
      });
    });
  });

  test('without room for a store, the first upload fails with exit code 5 and leaves nothing', async () => {
    const small = path.join(tempFolder(), 'small');
    mountSmall(small, 'size=8k');
    const root = path.join(small, 'store');
    const ended = await run('upload', [...upload(root, OLD), '--key', 'demo.txt']);
    expect(ended.code, ended.stderr).toBe(5);
    expect(ended.stderr).toContain('no space left on device');
    expect(readdirSync(small)).toEqual([]);
  });
});

describe.skipIf(problem !== undefined)('with one disk of three on a file system of 4 MiB', () => {
  test('an upload leaves the full disk out, says so, and gc brings the disk up to date when there is room again', async () => {
    const { root, small } = oneOfThree();
    await succeed('upload', [...upload(root, OLD), '--key', 'old']);
    fillBlocks(small);
    const ended = await succeed('upload', [...upload(root, LARGE), '--key', 'large']);
    expect(ended.stderr).toMatch(/^warning: disk "disk2" is full/m);
    const { chunks, version } = await (await ObjectStore.open(root)).head(BUCKET, 'large');
    expect(new Set(chunks.map(({ disk }) => disk))).toEqual(new Set(['disk1', 'disk3']));
    expect(countCopies(root, BUCKET, 'large', version)).toBe(2);
    await expectObject(root, 'large', LARGE);

    rmSync(path.join(small, 'filler'));
    await succeed('store', ['gc', '--root', root, '--json']);
    expect(countCopies(root, BUCKET, 'large', version)).toBe(3);
    expect(findUntidy(root)).toEqual([]);
  });

  test('a disk that is full up to the reserve takes no chunks, but every meta', async () => {
    const { root, small } = oneOfThree();
    await succeed('upload', [...upload(root, OLD), '--key', 'old']);
    fillBlocks(small, RESERVE);
    const { meta, failed } = await (await ObjectStore.open(root)).put(BUCKET, 'large', LARGE, { redundancy: '1+1' });
    const { chunks, parity, version } = meta;
    expect(failed).toEqual([]);
    expect(new Set([...chunks, ...parity].map(({ disk }) => disk))).toEqual(new Set(['disk1', 'disk3']));
    expect(countCopies(root, BUCKET, 'large', version)).toBe(3);
    await expectObject(root, 'large', LARGE);
    await succeed('store', ['rm', `${BUCKET}/old`, '--root', root]);
    rmSync(path.join(small, 'filler'));
    expect(findUntidy(root)).toEqual([]);
    expect(await (await ObjectStore.open(root)).gc()).toEqual(NOTHING_TO_DO);
  });

  test.each(['1+0', '1+1'])(
    'an upload of %s in whose midst a disk fills up puts the other chunks elsewhere',
    async (redundancy) => {
      const folder = tempFolder();
      const root = path.join(folder, 'store');
      for (const disk of ['disk1', 'disk2', 'disk3']) {
        mountSmall(path.join(folder, disk), 'size=16m');
        mkdirSync(path.join(folder, disk, 'disk'));
        mkdirSync(root, { recursive: true });
        symlinkSync(path.join(folder, disk, 'disk'), path.join(root, disk));
      }
      const store = await ObjectStore.init(root);
      await store.createBucket(BUCKET);
      const large = seededBytes(9 * MIB, 'larger');
      const source = Readable.from(
        (function* () {
          yield large.subarray(0, 5 * MIB);
          // Nobody has told the upload, which began with as much room on each disk.
          fillBlocks(path.join(folder, 'disk2'));
          yield large.subarray(5 * MIB);
        })(),
      );
      const { failed, unwritten } = await store.put(BUCKET, 'large', source, { redundancy });
      expect(failed.map(({ disk }) => disk)).toEqual(['disk2']);
      expect(unwritten).toEqual([]);
      await expectObject(root, 'large', large);
      expect(findDanglingMetas(root)).toEqual([]);

      rmSync(path.join(folder, 'disk2', 'filler'));
      const { objects, whole, settled } = await store.heal();
      expect({ objects, whole, settled }).toEqual({ objects: 1, whole: 1, settled: 1 });
      expect(findUntidy(root)).toEqual([]);
    },
  );

  test('heal puts what has no room on its own disk on another one', async () => {
    const { root, small } = oneOfThree();
    const store = await ObjectStore.init(root);
    await store.createBucket(BUCKET);
    const objects = Array.from({ length: 2 }, (_, index) => seededBytes(MIB, index));
    for (const [index, bytes] of objects.entries())
      await store.put(BUCKET, String(index), bytes, { redundancy: '1+2' });
    rmSync(path.join(small, 'disk', 'chunks'), { recursive: true });
    mkdirSync(path.join(small, 'disk', 'chunks'));
    fillBlocks(small, RESERVE);
    const full = await store.heal();
    // Every object has a copy on each of the other disks already, so there is no place for the third.
    expect(full).toMatchObject({ whole: 0, degraded: 2, lost: 0, rebuilt: 0 });
    expect(full.failed).toHaveLength(2);
    for (const index of objects.keys()) await expectObject(root, String(index), objects[index] ?? Buffer.alloc(0));
    await store.addDisk('disk4', path.join(root, 'disk4'));
    const healed = await store.heal();
    expect(healed).toMatchObject({ objects: 2, whole: 2, failed: [], moved: 2 });
    expect(await store.verify()).toMatchObject({ objects: 2, whole: 2 });
    rmSync(path.join(small, 'filler'));
    expect(findUntidy(root)).toEqual([]);
    expect(await store.gc()).toEqual(NOTHING_TO_DO);
  });

  test('a delete on the full disk leaves nothing of the object', async () => {
    const { root, small } = oneOfThree();
    await succeed('upload', [...upload(root, OLD), '--key', 'old']);
    fillBlocks(small);
    await succeed('store', ['rm', `${BUCKET}/old`, '--root', root]);
    rmSync(path.join(small, 'filler'));
    expect(findUntidy(root)).toEqual([]);
    expect(await (await ObjectStore.open(root)).gc()).toEqual(NOTHING_TO_DO);
  });

  function oneOfThree(): { root: string; small: string } {
    const folder = tempFolder();
    const small = path.join(folder, 'small');
    const root = path.join(folder, 'store');
    mountSmall(small, 'size=4m');
    for (const disk of ['disk1', 'disk3']) mkdirSync(path.join(root, disk), { recursive: true });
    mkdirSync(path.join(small, 'disk'));
    symlinkSync(path.join(small, 'disk'), path.join(root, 'disk2'));
    return { root, small };
  }
});

/** A store's root, and the small file system that it is on or that its only disk is on. */
function place(layout: string, options: string): { root: string; small: string } {
  const folder = tempFolder();
  const small = path.join(folder, 'small');
  mountSmall(small, options);
  if (layout === 'the whole store') return { root: path.join(small, 'store'), small };
  const root = path.join(folder, 'store');
  mkdirSync(root);
  mkdirSync(path.join(small, 'disk'));
  symlinkSync(path.join(small, 'disk'), path.join(root, 'disk1'));
  return { root, small };
}

/** @param fill takes all room, and tells which file or folder must go to give it back */
async function refuseThenDelete(root: string, fill: () => string): Promise<void> {
  await succeed('upload', [...upload(root, OLD), '--key', 'folder/demo.txt']);
  const filler = fill();
  for (const key of ['folder/demo.txt', 'new.txt'])
    expectFull(await run('upload', [...upload(root, OLD), '--key', key]));
  expect(findUntidy(root)).toEqual([]);
  await expectObject(root, 'folder/demo.txt', OLD);
  await succeed('store', ['rm', `${BUCKET}/folder/demo.txt`, '--root', root]);
  rmSync(filler, { recursive: true });
  expect(findUntidy(root)).toEqual([]);
  await succeed('upload', [...upload(root, OLD), '--key', 'new.txt']);
  await expectObject(root, 'new.txt', OLD);
  expect(findUntidy(root)).toEqual([]);
}

/** Arguments of an upload of `bytes`, but for the key. */
function upload(root: string, bytes: Buffer): string[] {
  const input = path.join(tempFolder(), 'input');
  writeFileSync(input, bytes);
  return [BUCKET, input, '--root', root, '--json'];
}

function run(door: Door, args: readonly string[]): Promise<Ended> {
  return runNode([compiledDoor(door), ...args]);
}

async function succeed(door: Door, args: readonly string[]): Promise<Ended> {
  const ended = await run(door, args);
  expect(ended.code, ended.stderr).toBe(0);
  return ended;
}

function expectFull({ code, stdout, stderr }: Ended): void {
  expect(code, stderr).toBe(5);
  expect(stdout).toBe('');
  expect(stderr).toMatch(/^error: .*"disk\d"(, "disk\d")* (is|are) full/);
  expect(stderr.trimEnd().split('\n').length).toBeLessThanOrEqual(2);
}

async function expectObject(root: string, key: string, bytes: Buffer): Promise<void> {
  const target = path.join(tempFolder(), 'downloaded');
  await succeed('download', [`${BUCKET}/${key}`, '-o', target, '--root', root, '--quiet']);
  expect(readFileSync(target).equals(bytes)).toBe(true);
}
