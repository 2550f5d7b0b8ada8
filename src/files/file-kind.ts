import type { Stats } from 'node:fs';

/** What stands somewhere, in words. */
export function nameKind(stats: Stats): string {
  if (stats.isFile()) return 'a file';
  if (stats.isDirectory()) return 'a folder';
  if (stats.isSymbolicLink()) return 'a link';
  if (stats.isFIFO()) return 'a FIFO';
  return stats.isSocket() ? 'a socket' : 'a device';
}

/** A system error that says what stands in the place of a file or folder. */
export function wrongKind(errno: string, stats: Stats, wanted: 'file' | 'folder'): Error {
  return Object.assign(new Error(`${errno}: ${nameKind(stats)} stands in the place of a ${wanted}`), { code: errno });
}
