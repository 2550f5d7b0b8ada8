import type { Stats } from 'node:fs';
import { basename, dirname, join } from 'node:path/posix';
import { chmod, except, lstat, rename } from '../../files/calls.ts';

/** What the owner of a folder or file must be allowed for it to be read, and what it is opened to. */
const READABLE = { folder: 0o500, file: 0o400 };
const OPEN = { folder: 0o700, file: 0o600 };

/**
 * Takes the first obstacle off the way to a file, or to a folder where `path` ends in `/`.
 * @returns the path below the root that it has now; undefined where there was none
 */
export async function setAside(root: string, path: string): Promise<string | undefined> {
  const names = path.split('/').filter((name) => name !== '');
  for (let depth = 1; depth <= names.length; depth++) {
    const at = names.slice(0, depth).join('/');
    const stats = await except(lstat(`${root}/${at}`), 'ENOENT');
    if (stats === undefined) return undefined;
    const wanted = depth === names.length && !path.endsWith('/') ? 'file' : 'folder';
    if (!(wanted === 'file' ? stats.isFile() : stats.isDirectory())) return renameAside(root, at);
    if (!isClosed(stats, wanted)) continue;
    await chmod(`${root}/${at}`, (stats.mode & 0o7777) | OPEN[wanted]);
    return at;
  }
  return undefined;
}

/** What only lacks the right to be written to may be so on purpose. */
function isClosed({ uid, mode }: Stats, kind: 'file' | 'folder'): boolean {
  return uid === process.geteuid?.() && (mode & READABLE[kind]) !== READABLE[kind];
}

/** A name that begins with a dot and ends so is no key's, bucket's or chunk's; what was set aside before stays. */
async function renameAside(root: string, at: string): Promise<string> {
  for (let number = 1; ; number++) {
    const aside = join(dirname(at), `.${basename(at)}${number === 1 ? '' : `.${number}`}.corrupt`);
    if ((await except(lstat(`${root}/${aside}`), 'ENOENT')) !== undefined) continue;
    await rename(`${root}/${at}`, `${root}/${aside}`);
    return aside;
  }
}
