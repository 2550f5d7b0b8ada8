import * as fs from 'node:fs';
import * as path from 'node:path';

/** What is at a path, or undefined where there is nothing: a folder on the way may have gone, or be something else. */
export function look(place: string): fs.Stats | undefined {
  try {
    return fs.lstatSync(place, { throwIfNoEntry: false });
  } catch (error) {
    if (['ENOTDIR', 'ELOOP'].includes(codeOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** Removes a file, or a folder that others may be writing into: it is gone at once. */
export function removeAll(folder: string): void {
  const gone = `${folder}.gone`;
  if (look(folder) === undefined) return;
  fs.renameSync(folder, gone);
  for (;;) {
    try {
      fs.rmSync(gone, { recursive: true, force: true });
      return;
    } catch (error) {
      // Who has opened a folder in it may have made a file there.
      if (codeOf(error) !== 'ENOTEMPTY') throw error;
    }
  }
}

/** The files below a folder, in an order of their own. Others may come and go meanwhile. No link is followed. */
export function filesIn(folder: string): string[] {
  return entriesBelow(folder).flatMap((entry) => (entry.isFile() ? [pathOf(entry)] : []));
}

/** The folders below a folder, but not itself. */
export function foldersIn(folder: string): string[] {
  return entriesBelow(folder).flatMap((entry) => (entry.isDirectory() ? [pathOf(entry)] : []));
}

export function namesIn(folder: string): string[] {
  return entriesOf(folder).map(({ name }) => name);
}

/** All that is below a folder. */
export function entriesBelow(folder: string): fs.Dirent[] {
  return entriesOf(folder).flatMap((entry) =>
    entry.isDirectory() ? [entry, ...entriesBelow(pathOf(entry))] : [entry],
  );
}

export function pathOf(entry: fs.Dirent): string {
  return path.join(entry.parentPath, entry.name);
}

/** Nothing where there is no folder: it may have gone, or something else may be in its place. */
function entriesOf(folder: string): fs.Dirent[] {
  if (look(folder)?.isDirectory() !== true) return [];
  try {
    return fs.readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(codeOf(error) ?? '')) return [];
    throw error;
  }
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
