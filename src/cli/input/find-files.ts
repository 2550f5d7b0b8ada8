import type { Dirent, Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import * as path from 'node:path';
import { errnoOf, reasonOf, StoreError } from '../../errors.ts';

/** A file to upload, and its key; or why something that was named cannot be uploaded. */
export type Found = { path: string; key: string; size: number | undefined } | { path: string; error: StoreError };

export interface FindOptions {
  recursive: boolean;
  prefix: string;
  /** The identity of the store's own folder: it is never uploaded into itself. */
  root: string | undefined;
  /** Whether sizes are wanted: they take a look at each file, which its name does not. */
  isSized: boolean;
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

/** Files that are looked at side by side. */
const AT_ONCE = 64;

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
  let entries: Dirent<Buffer>[];
  let identity: string;
  try {
    identity = await identityOf(folder);
    entries = await readdir(folder, { encoding: 'buffer', withFileTypes: true });
  } catch (error) {
    yield unreadable(folder, error);
    return;
  }
  if (above.includes(identity) || identity === options.root) return;
  entries.sort((a, b) => Buffer.compare(a.name, b.name));
  for (let next = 0; next < entries.length; next += AT_ONCE) {
    const slice = entries.slice(next, next + AT_ONCE).map((entry) => ({ entry, name: entry.name.toString('utf8') }));
    const look = async (entry: Dirent<Buffer>, file: string): Promise<Stats | undefined> =>
      entry.isFile() && !options.isSized ? undefined : stat(file);
    const looks = await Promise.allSettled(slice.map(({ entry, name }) => look(entry, path.join(folder, name))));
    for (const [index, { entry, name }] of slice.entries()) {
      const file = path.join(folder, name);
      const seen = looks[index];
      if (!Buffer.from(name, 'utf8').equals(entry.name))
        yield refused(file, `the name of "${file}" is not valid UTF-8, so it cannot be a key`);
      else if (seen?.status !== 'fulfilled') yield unreadable(file, seen?.reason);
      else if (seen.value?.isDirectory() === true)
        yield* walk(file, `${prefix}${name}/`, options, [...above, identity]);
      else yield { path: file, key: prefix + name, size: seen.value?.size };
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
