import { statfs } from 'node:fs/promises';
import { patiently } from '../../files/patiently.ts';
import type { DiskRoom } from '../disk.ts';

/** How many more files there must be room for, so that metas and tombstones find it when chunks no longer do. */
const RESERVED_FILES = 64;

/** The room of the file system that a folder is on. */
export async function roomAt(folder: string): Promise<DiskRoom> {
  const { bsize, blocks, bavail, files, ffree } = await patiently(() => statfs(folder));
  // Some file systems have no fixed number of files, and say 0.
  const noFiles = files > 0 && ffree < RESERVED_FILES;
  return { total: blocks * bsize, free: noFiles ? 0 : bavail * bsize };
}
