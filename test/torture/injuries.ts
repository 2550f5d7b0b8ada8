import * as fs from 'node:fs';
import * as path from 'node:path';
import { codeOf, filesIn, namesIn, removeAll } from './files.ts';
import type { Random } from './random.ts';

/** Ways to hurt a disk that is there. */
const WAYS = ['remove', 'flip', 'truncate', 'lengthen', 'empty', 'mixed'] as const;

type Way = (typeof WAYS)[number];

/** Hurts some of a disk's files, and says how. Files may come and go meanwhile. */
export function hurtFiles(disk: string, random: Random): string {
  const way = random.pick(WAYS);
  const where = random.weigh([
    [4, 'chunks'],
    [3, 'buckets'],
    [2, 'both'],
  ] as const);
  const share = random.pick([0.1, 0.5, 1]);
  let count = 0;
  for (const folder of where === 'both' ? ['chunks', 'buckets'] : [where]) {
    for (const file of filesIn(path.join(disk, folder))) {
      if (!random.chance(share)) continue;
      if (hurtFile(file, way === 'mixed' ? random.pick(WAYS) : way, random)) count++;
    }
  }
  return `${way} ${count} files in ${where}`;
}

function hurtFile(file: string, way: Way, random: Random): boolean {
  try {
    if (way === 'remove' || way === 'mixed') {
      fs.unlinkSync(file);
      return true;
    }
    if (way === 'lengthen') {
      if (fs.existsSync(file)) fs.appendFileSync(file, 'x'.repeat(random.between(1, 100)));
      return true;
    }
    const { size } = fs.statSync(file);
    if (size === 0) return false;
    if (way === 'flip') flip(file, random.between(0, size - 1));
    else fs.truncateSync(file, way === 'empty' ? 0 : random.between(0, size - 1));
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

function flip(file: string, at: number): void {
  const fd = fs.openSync(file, 'r+');
  try {
    const byte = Buffer.alloc(1);
    if (fs.readSync(fd, byte, 0, 1, at) === 0) return;
    byte.writeUInt8((byte.readUInt8(0) ^ 0x40) & 0xff);
    fs.writeSync(fd, byte, 0, 1, at);
  } finally {
    fs.closeSync(fd);
  }
}

/** Removes all that is in the disk's folders, and leaves the folders and the disk's mark. */
export function wipeFiles(disk: string): void {
  for (const folder of ['chunks', 'buckets']) {
    for (const name of namesIn(path.join(disk, folder))) removeAll(path.join(disk, folder, name));
  }
}
