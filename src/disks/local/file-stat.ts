import type { FileStat } from '../disk.ts';

/** What the system tells of a file. */
interface Stats {
  dev: number;
  ino: number;
  size: number;
  mtimeMs: number;
  ctimeMs: number;
}

/** @param isFile whether it is a regular file */
export function toFileStat({ dev, ino, size, mtimeMs, ctimeMs }: Stats, isFile: boolean): FileStat {
  return { size, stamp: [dev, ino, size, mtimeMs, ctimeMs].join(':'), isFile };
}
