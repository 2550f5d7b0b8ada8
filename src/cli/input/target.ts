import { realpath, stat } from 'node:fs/promises';
import * as path from 'node:path';
import { errnoOf, reasonOf, StoreError } from '../../errors.ts';

/** Longest file name, in bytes, that usual file systems take. */
const MAX_NAME_BYTES = 255;

/** A folder that was found to be inside is not looked at again for so many milliseconds: many keys may be in it. */
const KNOWN_MS = 1000;

/** A folder that objects are read into, each into the file of its key. */
export class TargetFolder {
  readonly #folder: string;
  /** The folder below this one that was looked at last, and until when that counts. */
  #known: { folder: string; until: number } | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * The file for a key. A key may hold anything; one that is no plain relative path is refused, so that nothing lands
   * outside the folder or under another name than its own. @throws BAD_TARGET, TARGET_IO
   */
  async fileOf(key: string): Promise<string> {
    const segments = key.split('/');
    const reason = segments.map(whyNoFileName).find((why) => why !== undefined);
    if (reason !== undefined) {
      const words = `key ${JSON.stringify(key)} cannot be a file below "${this.#folder}": ${reason}`;
      throw new StoreError('BAD_TARGET', words, { key, path: this.#folder });
    }
    const file = path.join(this.#folder, ...segments);
    const folder = path.dirname(file);
    if (this.#known?.folder === folder && performance.now() < this.#known.until) return file;
    const until = performance.now() + KNOWN_MS;
    await checkInside(this.#folder, file, key);
    this.#known = { folder, until };
    return file;
  }
}

/** The file below `folder` for a key, as `TargetFolder.fileOf` gives it. @throws BAD_TARGET, TARGET_IO */
export function targetBelow(folder: string, key: string): Promise<string> {
  return new TargetFolder(folder).fileOf(key);
}

function whyNoFileName(segment: string): string | undefined {
  if (segment === '') return 'it has an empty part between slashes';
  if (segment === '.' || segment === '..') return `"${segment}" is no file name`;
  if (segment.includes('\0')) return 'it has a NUL character';
  if (path.sep !== '/' && segment.includes(path.sep)) return `it has a "${path.sep}"`;
  if (Buffer.byteLength(segment) > MAX_NAME_BYTES) return `a part is longer than ${MAX_NAME_BYTES} bytes`;
  return undefined;
}

/** A link that stands below the folder may lead anywhere; a key must not follow it out. */
async function checkInside(folder: string, file: string, key: string): Promise<void> {
  let base: string;
  let real: string;
  try {
    base = await realpathOfExisting(folder);
    real = await realpathOfExisting(path.dirname(file));
  } catch (error) {
    throw targetError(file, error);
  }
  if (real === base || real.startsWith(base.endsWith(path.sep) ? base : base + path.sep)) return;
  const words = `key ${JSON.stringify(key)} would lead out of "${folder}" through a link`;
  throw new StoreError('BAD_TARGET', words, { key, path: file });
}

async function realpathOfExisting(folder: string): Promise<string> {
  try {
    return await realpath(folder);
  } catch (error) {
    const parent = path.dirname(folder);
    if (errnoOf(error) !== 'ENOENT' || parent === folder) throw error;
    return path.join(await realpathOfExisting(parent), path.basename(folder));
  }
}

export interface Target {
  kind: 'file' | 'folder' | 'stream';
  path: string;
}

/**
 * Where `-o` leads: a new or regular file (through links), a folder, or something that is written to as it is.
 * @throws TARGET_IO
 */
export async function resolveTarget(output: string): Promise<Target> {
  try {
    const stats = await stat(output);
    if (stats.isFile()) return { kind: 'file', path: await realpath(output) };
    // A device or FIFO must not be renamed over.
    return { kind: stats.isDirectory() ? 'folder' : 'stream', path: output };
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw targetError(output, error);
    return { kind: output.endsWith('/') ? 'folder' : 'file', path: output };
  }
}

export function targetError(file: string, cause: unknown): StoreError {
  return new StoreError('TARGET_IO', `cannot write "${file}": ${reasonOf(cause)}`, { path: file }, cause);
}
