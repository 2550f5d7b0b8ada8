import * as fs from 'node:fs';
import { readdir as readdirOnce, rm as rmOnce } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { errnoOf } from '../errors.ts';
import { isAligned } from '../memory/aligned.ts';
import { patiently } from './patiently.ts';

// Plain descriptors through the callback API: a FileHandle per file costs about as much again as a small file itself.
export const open = patient<[path: string, flags: number | string, mode?: number], number>(promisify(fs.open));
export const close: (fd: number) => Promise<void> = promisify(fs.close);
export const fsync: (fd: number) => Promise<void> = promisify(fs.fsync);
export const stat = patient<[path: string], fs.Stats>(promisify(fs.stat));
export const lstat = patient<[path: string], fs.Stats>(promisify(fs.lstat));
export const fstat: (fd: number) => Promise<fs.Stats> = promisify(fs.fstat);
export const futimes: (fd: number, atime: Date, mtime: Date) => Promise<void> = promisify(fs.futimes);
export const fstatBig = (fd: number): Promise<fs.BigIntStats> => promisify(fs.fstat)(fd, { bigint: true });
export const ftruncate: (fd: number, size: number) => Promise<void> = promisify(fs.ftruncate);
export const rename: (from: string, to: string) => Promise<void> = patient(promisify(fs.rename));
export const unlink: (path: string) => Promise<void> = patient(promisify(fs.unlink));
export const rmdir: (path: string) => Promise<void> = patient(promisify(fs.rmdir));
export const chmod: (path: string, mode: number) => Promise<void> = patient(promisify(fs.chmod));
const mkdirOnce = promisify(fs.mkdir);
export const mkdir = patient((path: string): Promise<void> => mkdirOnce(path));

/** What is in a folder. */
export const readdir = patient((path: string): Promise<fs.Dirent[]> => readdirOnce(path, { withFileTypes: true }));

/** Removes a folder and all that is in it. */
export const removeTree = patient((path: string): Promise<void> => rmOnce(path, { recursive: true, force: true }));

/** A call that outlasts the process's shortages. */
function patient<A extends unknown[], T>(call: (...args: A) => Promise<T>): (...args: A) => Promise<T> {
  return (...args) => patiently(() => call(...args));
}

/** Reads into `buffer` from `position` of the file with one call, and tells how many bytes came. */
export const readOnce = patient(
  (fd: number, buffer: Uint8Array, position: number): Promise<number> =>
    new Promise((resolve, reject) => {
      fs.read(fd, buffer, 0, buffer.length, position, (error, count) => {
        if (error) reject(error);
        else resolve(count);
      });
    }),
);

const writeOnce = patient(
  (fd: number, buffer: Uint8Array, offset: number, position: number): Promise<number> =>
    new Promise((resolve, reject) => {
      fs.write(fd, buffer, offset, buffer.length - offset, position, (error, count) => {
        if (error) reject(error);
        else resolve(count);
      });
    }),
);

/** Fills `buffer` from `position` of the file, and tells how many bytes there were (fewer only at the file's end). */
export async function readFully(fd: number, buffer: Uint8Array, position: number): Promise<number> {
  let filled = 0;
  while (filled < buffer.length) {
    const count = await readOnce(fd, buffer.subarray(filled), position + filled);
    if (count === 0) break;
    filled += count;
  }
  return filled;
}

/** Writes all of `bytes` at `position`: a system's short write is continued. */
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

/**
 * Opens a file for writing; with `direct`, past the page cache if the file system can do that. Then only whole, aligned
 * blocks can be written (`isAligned`). The copy into the page cache is the largest part of the time that writing a chunk
 * takes, and a chunk that has been synced does not need it.
 */
export async function openForWriting(path: string, flags: number, direct: boolean): Promise<number> {
  if (direct && DIRECT !== undefined) {
    try {
      return await open(path, flags | DIRECT, 0o666);
    } catch (error) {
      if (errnoOf(error) !== 'EINVAL') throw error;
      // A file system that does not know direct I/O says so only after it has made the file, which is ours then.
      return open(path, flags & ~O_EXCL, 0o666);
    }
  }
  return open(path, flags, 0o666);
}

const DIRECT: number | undefined = (fs.constants as Partial<typeof fs.constants>).O_DIRECT;

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_TRUNC, O_WRONLY } = fs.constants;

/**
 * Keeps an open from waiting for the other end of a FIFO, and from following a link: neither is a file. Reading
 * and writing a file itself does not change.
 */
export const FILE_ONLY = O_NOFOLLOW | O_NONBLOCK;

/** How a file is opened to be read, and past the page cache, where the system knows that. */
export const READ = O_RDONLY | FILE_ONLY;
export const READ_DIRECT = READ | (DIRECT ?? 0);

/** How a folder is opened to be synced. */
export const READ_FOLDER = O_RDONLY | O_DIRECTORY;

/** How a file is opened to be written: over what was there, only where nothing was, or once more. */
export const WRITE_FLAGS = {
  replace: O_WRONLY | O_CREAT | O_TRUNC | FILE_ONLY,
  exclusive: O_WRONLY | O_CREAT | O_EXCL,
  again: O_WRONLY,
};

/** Writes a whole new file, synced if `durable`. If that fails, the file is removed: a failed sync is never tried again. */
export async function writeNewFile(path: string, flags: number, bytes: Uint8Array, durable: boolean): Promise<void> {
  const direct = durable && isAligned(bytes);
  try {
    await writeOnceOpened(path, await openForWriting(path, flags, direct), bytes, durable);
  } catch (error) {
    // Direct I/O that opens and then does not take our blocks: an unusual device.
    if (!direct || errnoOf(error) !== 'EINVAL') throw error;
    await writeOnceOpened(path, await open(path, flags, 0o666), bytes, durable);
  }
}

async function writeOnceOpened(path: string, fd: number, bytes: Uint8Array, durable: boolean): Promise<void> {
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

/**
 * Makes a folder and those above it, and tells which ones are new, from the outside in. One by one: Node's recursive
 * `mkdir` says ENOENT where the file system is read-only.
 */
export async function makeFolders(folder: string): Promise<string[]> {
  try {
    await mkdir(folder);
    return [folder];
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EEXIST' && (await stat(folder)).isDirectory()) return [];
    if (errno !== 'ENOENT') throw error;
    const above = await makeFolders(dirname(folder));
    try {
      return (await succeeds(mkdir(folder), 'EEXIST')) ? [...above, folder] : above;
    } catch (reason) {
      await removeFolders(above);
      throw reason;
    }
  }
}

/** Removes folders from the inside out, as `makeFolders` has named them, as far as they are empty. */
export async function removeFolders(folders: readonly string[]): Promise<void> {
  try {
    for (const folder of [...folders].reverse()) await rmdir(folder);
  } catch {
    // What is not empty stays, and what is above it.
  }
}

/** Syncs a folder: the names in it are durable from then on. */
export async function syncFolderNow(path: string): Promise<void> {
  await withFile(path, READ_FOLDER, fsync);
}

/** Syncs a file that another program may have written and not synced. */
export async function syncFileNow(path: string): Promise<void> {
  await withFile(path, 'r', fsync);
}

/** Resolves to undefined instead of failing where the error is one of `codes`. */
export async function except<T>(promise: Promise<T>, ...codes: string[]): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (codes.includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** Whether a call succeeds: false where the error is one of `codes`, and any other fails this too. */
export async function succeeds(promise: Promise<unknown>, ...codes: string[]): Promise<boolean> {
  const done = promise.then(() => true);
  return (await except(done, ...codes)) ?? false;
}
