import { randomFillSync } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { ObjectMeta } from '../../src/index.ts';

const MEBIBYTE = 1024 * 1024;

/** Writes a file of random bytes, which no file system can compress or share. */
export async function writeRandomFile(file: string, mebibytes: number, signal: AbortSignal): Promise<void> {
  const handle = await fs.open(file, 'wx');
  try {
    const piece = Buffer.alloc(MEBIBYTE);
    for (let written = 0; written < mebibytes; written++) {
      signal.throwIfAborted();
      await handle.writeFile(randomFillSync(piece));
    }
  } finally {
    await handle.close();
  }
}

/** Makes a file of `mebibytes` MiB that takes no room. */
export async function writeSparseFile(file: string, mebibytes: number): Promise<void> {
  await fs.writeFile(file, '');
  await fs.truncate(file, mebibytes * MEBIBYTE);
}

/** An object's chunk files, in order, as paths below the store's folder. */
export function chunkPaths({ chunks }: ObjectMeta): string[] {
  return chunks.map(({ disk, file }) => path.join(disk, file));
}

export function formatSize(mebibytes: number): string {
  return mebibytes % 1024 === 0 ? `${mebibytes / 1024} GiB` : `${mebibytes} MiB`;
}
