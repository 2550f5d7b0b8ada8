import { errnoOf } from '../errors.ts';
import { isAligned } from '../memory/aligned.ts';
import { except, fstat, lstat, READ, READ_DIRECT, readFully, readOnce, withFile } from './calls.ts';
import { wrongKind } from './file-kind.ts';

/** Most small documents fit in one read of this many bytes, without asking for the size first. */
const FIRST_READ = 4096;

/** No text that is read by `readText` is longer, in bytes. */
const MAX_TEXT_BYTES = 16 * 1024 * 1024;

/** What the system says of a link, a socket, and a FIFO or terminal that is asked to read like a file. */
const NOT_A_FILE = ['ELOOP', 'ENXIO', 'ESPIPE'];

export interface ReadFileOptions {
  /** Used for the bytes if they fit and leave at least one byte free. */
  buffer?: Buffer | undefined;
  /** Bytes that the file should have at least, if that is known. */
  expected?: number | undefined;
  /** Bytes that are read at most, if they don't fit into the buffer. */
  most: number;
  /** Past the page cache, if the buffer is aligned, the file as long as expected, and the file system can do that. */
  direct?: boolean | undefined;
}

/**
 * All bytes of a regular file. What is something else, or longer, is an error at once: nothing is waited for, no link is
 * followed. That takes no call more than reading does: a FIFO or socket refuses, and what gives nothing, or more than was
 * asked for, is looked at.
 * @throws EFBIG, the system's error, or ENOTSUP for a device
 */
export async function readRegularFile(path: string, options: ReadFileOptions): Promise<Buffer> {
  try {
    return (await readDirectly(path, options)) ?? (await withFile(path, READ, (fd) => readWhole(fd, options)));
  } catch (error) {
    const errno = errnoOf(error) ?? '';
    const stats = NOT_A_FILE.includes(errno) ? await lstat(path).catch(() => undefined) : undefined;
    throw stats === undefined || stats.isFile() ? error : wrongKind(errno, stats, 'file');
  }
}

/** The text of a regular file. @throws as `readRegularFile` does */
export async function readText(path: string): Promise<string> {
  return (await readRegularFile(path, { most: MAX_TEXT_BYTES })).toString('utf8');
}

/** The same, or undefined where there is no such file. */
export async function readTextIfThere(path: string): Promise<string | undefined> {
  return except(readText(path), 'ENOENT', 'ENOTDIR');
}

/** The file, if it is as long as expected and direct I/O can read it; otherwise the other way has to tell. */
async function readDirectly(path: string, { buffer, expected, direct }: ReadFileOptions): Promise<Buffer | undefined> {
  if (direct !== true || buffer === undefined || !isAligned(buffer)) return undefined;
  const reading = withFile(path, READ_DIRECT, (fd) => readOnce(fd, buffer, 0));
  const count = await except(reading, 'EINVAL');
  return count !== undefined && count === expected && count < buffer.length ? buffer.subarray(0, count) : undefined;
}

async function readWhole(fd: number, { buffer, expected, most }: ReadFileOptions): Promise<Buffer> {
  let bytes = buffer ?? Buffer.allocUnsafe(FIRST_READ);
  let filled = await readOnce(fd, bytes, 0);
  if (filled === 0) await sizeOf(fd);
  // Some network file systems give fewer bytes than asked for before the end of a file, so where the size is known
  // they are asked again. A document that is cut so is noticed by its checksum.
  if (expected !== undefined && filled < expected) filled += await readFully(fd, bytes.subarray(filled), filled);
  while (filled === bytes.length) {
    const size = Math.max(await sizeOf(fd), filled);
    if (size > most) throw tooLong(size, most);
    const larger = Buffer.allocUnsafe(size + 1);
    bytes.copy(larger);
    filled += await readOnce(fd, larger.subarray(filled), filled);
    bytes = larger;
  }
  return bytes.subarray(0, filled);
}

async function sizeOf(fd: number): Promise<number> {
  const stats = await fstat(fd);
  if (!stats.isFile()) throw wrongKind('ENOTSUP', stats, 'file');
  return stats.size;
}

function tooLong(size: number, limit: number): Error {
  return Object.assign(new Error(`EFBIG: ${size} bytes, more than ${limit}`), { code: 'EFBIG' });
}
