import type * as fs from 'node:fs/promises';
import { rmSync } from 'node:fs';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { roomOf } from '../../../src/disks/rooms.ts';
import { makeDisk } from '../make-disks.ts';

/** What the system says about a file system: `bavail` is what others than root may use of `bfree`. */
interface Facts {
  bsize: number;
  blocks: number;
  bfree: number;
  bavail: number;
  files: number;
  ffree: number;
}

const system = vi.hoisted(() => ({ facts: undefined as Facts | undefined }));
vi.mock('node:fs/promises', async (original) => {
  const actual = await original<typeof fs>();
  return {
    ...actual,
    statfs: (path: string) => (system.facts === undefined ? actual.statfs(path) : Promise.resolve(system.facts)),
  };
});

const FACTS: Facts = { bsize: 4096, blocks: 100_000, bfree: 60_000, bavail: 50_000, files: 10_000, ffree: 5000 };

beforeEach(() => {
  system.facts = undefined;
});

describe('the room of a LocalDisk', () => {
  it('is counted in bytes, and leaves out what the file system keeps for root', async () => {
    system.facts = FACTS;
    expect(await makeDisk().disk.room()).toEqual({ total: 100_000 * 4096, free: 50_000 * 4096 });
  });

  it.each([
    ['no block is free', { bavail: 0, bfree: 0 }, 0],
    ['no file is left to make', { ffree: 0 }, 0],
    ['fewer files are left to make than metas may need', { ffree: 63 }, 0],
    ['enough files are left to make', { ffree: 64 }, 50_000 * 4096],
    ['the file system has no fixed number of files and calls it 0', { files: 0, ffree: 0 }, 50_000 * 4096],
  ])('is what it must be when %s', async (_, facts, free) => {
    system.facts = { ...FACTS, ...facts };
    expect((await makeDisk().disk.room())?.free).toBe(free);
  });

  it('for chunks is nothing on a disk without files to make, with all its bytes free', async () => {
    system.facts = { ...FACTS, ffree: 10 };
    expect(await roomOf(makeDisk().disk)).toBe(0);
  });

  it('of a disk that has gone is an error that names the disk', async () => {
    const { disk, root } = makeDisk();
    rmSync(root, { recursive: true });
    await expect(disk.room()).rejects.toMatchObject({
      name: 'StoreError',
      code: 'DISK_IO',
      details: { disk: 'disk1', errno: 'ENOENT' },
    });
    expect(await roomOf(disk)).toBe(0);
  });
});
