import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { errnoOf, StoreError } from '../errors.ts';

const run = promisify(execFile);

/** Why the tool may not even run, by the system's code. */
const SHORTAGES: Partial<Record<string, string>> = {
  EAGAIN: 'this process may start no more processes at once (EAGAIN)',
  ENOENT: 'the tool "sync" (coreutils) cannot be found',
};

/**
 * Makes all that has been done in the file system of `path` durable, by whomever: syncfs(2), which Node lacks, through
 * coreutils' `sync`. Errors of writing back that nobody has been told of yet fail it (since Linux 5.8).
 */
export async function syncFileSystem(path: string): Promise<void> {
  try {
    await run('sync', ['--file-system', path]);
  } catch (error) {
    const errno = errnoOf(error);
    const shortage = SHORTAGES[errno ?? ''];
    if (shortage !== undefined) throw new StoreError('OUT_OF_RESOURCES', shortage, { errno }, error);
    if (errno !== undefined) throw error;
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
    throw new Error(said === '' ? `"sync" failed: ${String(error)}` : said, { cause: error });
  }
}
