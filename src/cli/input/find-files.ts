import { readdir, stat } from 'node:fs/promises';
import * as path from 'node:path';
import { errnoOf, reasonOf, StoreError } from '../../errors.ts';

/** A file to upload, and its key; or why something that was named cannot be uploaded. */
export type Found = { path: string; key: string; size: number } | { path: string; error: StoreError };

export interface FindOptions {
  recursive: boolean;
  prefix: string;
  /** The identity of the store's own folder: it is never uploaded into itself. */
  root: string | undefined;
}

/** The files that arguments stand for. Links are followed; a folder that one leads back into is not entered twice. */
export async function* findFiles(names: readonly string[], options: FindOptions): AsyncGenerator<Found> {
  for (const name of names) {
    let stats;
    try {
      stats = await stat(name);
    } catch (error) {
      yield unreadable(name, error);
      continue;
    }
    if (!stats.isDirectory()) {
      yield { path: name, key: options.prefix + path.basename(name), size: stats.size };
    } else if (options.recursive) {
      yield* walk(name, options.prefix, options, []);
    } else {
      yield refused(name, `"${name}" is a folder; -r uploads what is in it`);
    }
  }
}

/** What stays the same by whatever path a folder is reached. */
export async function identityOf(folder: string): Promise<string> {
  const { dev, ino } = await stat(folder);
  return `${dev}:${ino}`;
}

async function* walk(
  folder: string,
  prefix: string,
  options: FindOptions,
  above: readonly string[],
): AsyncGenerator<Found> {
  let names: Buffer[];
  let identity: string;
  try {
    identity = await identityOf(folder);
    names = await readdir(folder, { encoding: 'buffer' });
  } catch (error) {
    yield unreadable(folder, error);
    return;
  }
  if (above.includes(identity) || identity === options.root) return;
  for (const bytes of names.sort((a, b) => Buffer.compare(a, b))) {
    const name = bytes.toString('utf8');
    const file = path.join(folder, name);
    if (!Buffer.from(name, 'utf8').equals(bytes)) {
      yield refused(file, `the name of "${file}" is not valid UTF-8, so it cannot be a key`);
      continue;
    }
    try {
      const stats = await stat(file);
      if (stats.isDirectory()) yield* walk(file, `${prefix}${name}/`, options, [...above, identity]);
      else yield { path: file, key: prefix + name, size: stats.size };
    } catch (error) {
      yield unreadable(file, error);
    }
  }
}

function unreadable(file: string, cause: unknown): Found {
  const errno = errnoOf(cause);
  const reason = errno === 'ENOENT' ? 'there is no such file' : reasonOf(cause);
  return refused(file, `cannot read "${file}": ${reason}`, errno, cause);
}

function refused(path: string, why: string, errno?: string, cause?: unknown): Found {
  return { path, error: new StoreError('BAD_SOURCE', why, { path, errno }, cause) };
}
