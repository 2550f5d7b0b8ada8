import { checkKey, isStoreError } from '../../index.ts';
import { UsageError } from '../terminal/failure.ts';
import { findFiles, identityOf, type Found } from './find-files.ts';

export interface Job {
  /** A path, or undefined for standard input. */
  path: string | undefined;
  key: string;
  size: number | undefined;
}

interface JobOptions {
  root: string;
  key?: string;
  prefix?: string;
  recursive?: true;
}

type Failure = Extract<Found, { error: unknown }>;

/** What to upload, and what of it cannot be. @param isSized whether sizes are wanted @throws UsageError, BAD_KEY */
export async function findJobs(
  files: readonly string[],
  options: JobOptions,
  isSized: boolean,
): Promise<{ jobs: Job[]; failures: Failure[] }> {
  const prefix = options.prefix ?? '';
  const fromInput = files.includes('-');
  if (options.key !== undefined && (files.length > 1 || options.recursive === true))
    throw new UsageError('--key goes with one file');
  if (fromInput && (files.length > 1 || options.key === undefined))
    throw new UsageError('- (standard input) stands alone and needs --key');
  if (fromInput) {
    const key = prefix + (options.key ?? '');
    checkKey(key);
    return { jobs: [{ path: undefined, key, size: undefined }], failures: [] };
  }
  const jobs: Job[] = [];
  const failures: Failure[] = [];
  const keys = new Map<string, string>();
  const root = await identityOf(options.root).catch(() => undefined);
  for await (const found of findFiles(files, { recursive: options.recursive === true, prefix, root, isSized })) {
    if ('error' in found) {
      failures.push(found);
      continue;
    }
    const key = options.key === undefined ? found.key : prefix + options.key;
    const other = keys.get(key);
    if (other !== undefined)
      throw new UsageError(`"${other}" and "${found.path}" would have one key, ${JSON.stringify(key)}`);
    keys.set(key, found.path);
    try {
      checkKey(key);
      jobs.push({ path: found.path, key, size: found.size });
    } catch (error) {
      if (!isStoreError(error)) throw error;
      failures.push({ path: found.path, error });
    }
  }
  return { jobs, failures };
}
