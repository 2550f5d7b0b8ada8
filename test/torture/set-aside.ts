import * as fs from 'node:fs';
import * as path from 'node:path';
import { codeOf, entriesBelow, pathOf, removeAll } from './files.ts';

/** What heal calls that which was in its way. */
const SET_ASIDE = /^\..*\.corrupt$/;

/**
 * Removes what a heal has set aside on a disk because it stood in the way, as people do when they have looked at it,
 * and folders that only this has kept. @returns what it was
 */
export function clearSetAside(disk: string): string[] {
  const found = entriesBelow(disk)
    .filter(({ name }) => SET_ASIDE.test(name))
    .map(pathOf);
  for (const place of found) {
    removeAll(place);
    removeEmpty(path.dirname(place), disk);
  }
  return found;
}

/** Removes a folder below a disk's own folders, and those above it, as far as they are empty. */
function removeEmpty(folder: string, disk: string): void {
  const [top, ...below] = path.relative(disk, folder).split(path.sep);
  if (below.length < (top === 'buckets' ? 2 : 1)) return;
  try {
    fs.rmdirSync(folder);
  } catch (error) {
    if (codeOf(error) === 'ENOTEMPTY' || codeOf(error) === 'ENOENT') return;
    throw error;
  }
  removeEmpty(path.dirname(folder), disk);
}

/** What is neither a file nor a folder, below a disk. */
export function findOdd(disk: string): string[] {
  return entriesBelow(disk)
    .filter((entry) => !entry.isFile() && !entry.isDirectory())
    .map(pathOf);
}
