import { execFile } from 'node:child_process';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { promisify } from 'node:util';

/** Runs `work` with a new folder below `parent`, which is removed again whatever happens. @throws where `parent` is missing */
export async function withScratch<T>(parent: string, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await fs.mkdtemp(path.join(path.resolve(parent), 'mini-object-store-bench-'));
  try {
    return await work(folder);
  } finally {
    // A program that was killed a moment ago may still make a file.
    await fs.rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** The type of the file system that holds a folder, such as `ext4`. */
export async function fileSystemOf(folder: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)('df', ['--output=fstype', folder]);
    return stdout.trim().split('\n').at(-1) ?? 'unknown file system';
  } catch {
    return 'unknown file system';
  }
}
