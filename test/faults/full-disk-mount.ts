import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { onTestFinished } from 'vitest';
import { errnoOf } from '../../src/errors.ts';

/** Why small file systems can't be mounted here, or undefined where they can. */
export function mountProblem(): string | undefined {
  const folder = mkdtempSync(path.join(tmpdir(), 'mini-object-store-mount-'));
  try {
    mount(folder, 'size=64k');
    unmount(folder);
    return undefined;
  } catch (error) {
    return `a tmpfs can't be mounted (that needs root): ${error instanceof Error ? error.message.trim() : String(error)}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A file system of its own in `folder`, gone when the test is over; `options` are those of tmpfs, such as `size=4m`. */
export function mountSmall(folder: string, options: string): void {
  mkdirSync(folder, { recursive: true });
  mount(folder, options);
  onTestFinished(() => {
    unmount(folder);
  });
}

function mount(folder: string, options: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'pipe' });
}

function unmount(folder: string): void {
  execFileSync('umount', ['-l', folder], { stdio: 'pipe' });
}

/** What `df` and `df -i` say. */
export function freeRoom(folder: string): { blocks: number; inodes: number } {
  const { bfree, ffree } = statfsSync(folder);
  return { blocks: bfree, inodes: ffree };
}

/** Writes a file that takes all the room there is but for `spare` bytes. */
export function fillBlocks(folder: string, spare = 0): void {
  const fd = openSync(path.join(folder, 'filler'), 'w');
  const { bfree, bsize } = statfsSync(folder);
  try {
    const page = Buffer.alloc(4096, 1);
    for (let left = bfree * bsize - spare; left > 0; left -= page.length) writeSync(fd, page);
  } catch (error) {
    if (errnoOf(error) !== 'ENOSPC') throw error;
  } finally {
    closeSync(fd);
  }
}

/** Makes empty files until no more names fit. */
export function fillInodes(folder: string): void {
  mkdirSync(path.join(folder, 'fillers'));
  try {
    for (let number = 0; ; number++) closeSync(openSync(path.join(folder, 'fillers', String(number)), 'w'));
  } catch (error) {
    if (errnoOf(error) !== 'ENOSPC') throw error;
  }
}
