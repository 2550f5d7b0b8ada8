import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { errnoOf } from '../errors.ts';

// Plain descriptors through the callback API: a FileHandle per file costs about as much again as a small file itself.
export const open: (path: string, flags: number | string, mode?: number) => Promise<number> = promisify(fs.open);
export const close: (fd: number) => Promise<void> = promisify(fs.close);
export const fsync: (fd: number) => Promise<void> = promisify(fs.fsync);
export const stat: (path: string) => Promise<fs.Stats> = promisify(fs.stat);
export const fstat: (fd: number) => Promise<fs.Stats> = promisify(fs.fstat);
export const rename: (from: string, to: string) => Promise<void> = promisify(fs.rename);
export const unlink: (path: string) => Promise<void> = promisify(fs.unlink);
export const rmdir: (path: string) => Promise<void> = promisify(fs.rmdir);
export const mkdir = (path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    fs.mkdir(path, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });

const readOnce = (fd: number, buffer: Uint8Array, offset: number, length: number, position: number): Promise<number> =>
  new Promise((resolve, reject) => {
    fs.read(fd, buffer, offset, length, position, (error, count) => {
      if (error) reject(error);
      else resolve(count);
    });
  });

const writeOnce = (fd: number, buffer: Uint8Array, offset: number, position: number): Promise<number> =>
  new Promise((resolve, reject) => {
    fs.write(fd, buffer, offset, buffer.length - offset, position, (error, count) => {
      if (error) reject(error);
      else resolve(count);
    });
  });

/** Fills `buffer` from `position` of the file, and tells how many bytes there were (fewer only at the file's end). */
export async function readFully(fd: number, buffer: Uint8Array, position: number): Promise<number> {
  let filled = 0;
  while (filled < buffer.length) {
    const count = await readOnce(fd, buffer, filled, buffer.length - filled, position + filled);
    if (count === 0) break;
    filled += count;
  }
  return filled;
}

/** Writes all of `bytes` at `position`: a system's short write is gone on with. */
export async function writeFully(fd: number, bytes: Uint8Array, position: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) written += await writeOnce(fd, bytes, written, position + written);
}

/** Runs `work` on an open file and closes it; a failed close is a failure only where nothing failed before. */
export async function withFile<T>(path: string, flags: number | string, work: (fd: number) => Promise<T>): Promise<T> {
  const fd = await open(path, flags, 0o666);
  let result: T;
  try {
    result = await work(fd);
  } catch (error) {
    await close(fd).catch(() => undefined);
    throw error;
  }
  await close(fd);
  return result;
}

/** Writes a whole new file, synced if `durable`. If that fails, the file is removed: a failed sync is never tried again. */
export async function writeNewFile(path: string, flags: 'w' | 'wx', bytes: Uint8Array, durable: boolean): Promise<void> {
  const fd = await open(path, flags, 0o666);
  try {
    try {
      await writeFully(fd, bytes, 0);
      if (durable) await fsync(fd);
    } finally {
      await close(fd);
    }
  } catch (error) {
    await unlink(path).catch(() => undefined);
    throw error;
  }
}

/** Syncs a folder: the names in it are durable from then on. */
export async function syncFolderNow(path: string): Promise<void> {
  await withFile(path, 'r', fsync);
}

/** Resolves to undefined instead of failing where the error is one of `codes`. */
export async function except<T>(promise: Promise<T>, ...codes: string[]): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    const code = errnoOf(error);
    if (code !== undefined && codes.includes(code)) return undefined;
    throw error;
  }
}
