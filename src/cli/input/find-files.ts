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
      yield { path: name, error: badSource(name, error) };
      continue;
    }
    if (!stats.isDirectory()) {
      yield { path: name, key: options.prefix + path.basename(name), size: stats.size };
    } else if (options.recursive) {
      yield* walk(name, options.prefix, options, []);
    } else {
      yield {
        path: name,
        error: new StoreError('BAD_SOURCE', `"${name}" is a folder; -r uploads what is in it`, { path: name }),
      };
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
    yield { path: folder, error: badSource(folder, error) };
    return;
  }
  if (above.includes(identity) || identity === options.root) return;
  for (const bytes of names.sort((a, b) => Buffer.compare(a, b))) {
    const name = bytes.toString('utf8');
    const file = path.join(folder, name);
    if (!Buffer.from(name, 'utf8').equals(bytes)) {
      yield {
        path: file,
        error: new StoreError('BAD_SOURCE', `the name of "${file}" is not valid UTF-8, so it cannot be a key`, {
          path: file,
        }),
      };
      continue;
    }
    try {
      const stats = await stat(file);
      if (stats.isDirectory()) yield* walk(file, `${prefix}${name}/`, options, [...above, identity]);
      else yield { path: file, key: prefix + name, size: stats.size };
    } catch (error) {
      yield { path: file, error: badSource(file, error) };
    }
  }
}

function badSource(file: string, cause: unknown): StoreError {
  const errno = errnoOf(cause);
  const reason = errno === 'ENOENT' ? 'there is no such file' : reasonOf(cause);
  return new StoreError('BAD_SOURCE', `cannot read "${file}": ${reason}`, { path: file, errno }, cause);
}
