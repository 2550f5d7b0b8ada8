import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Makes all that has been done in the file system of `path` durable, by whomever: syncfs(2), which Node lacks, through
 * coreutils' `sync`. Errors of writing back that nobody has been told of yet fail it (since Linux 5.8).
 */
export async function syncFileSystem(path: string): Promise<void> {
  try {
    await run('sync', ['--file-system', path]);
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
    throw new Error(said === '' ? `"sync" cannot be run: ${String(error)}` : said, { cause: error });
  }
}
