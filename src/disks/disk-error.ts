import { errnoOf, reasonOf, shortageError, StoreError, type ErrorCode, type Fault } from '../errors.ts';

const CODES: Partial<Record<string, ErrorCode>> = {
  ENOSPC: 'DISK_FULL',
  EDQUOT: 'DISK_FULL',
  EROFS: 'DISK_READ_ONLY',
  EACCES: 'DISK_READ_ONLY',
  EPERM: 'DISK_READ_ONLY',
};

const FAULTS: Partial<Record<string, Fault>> = {
  ENOENT: 'missing',
  EFBIG: 'too-long',
  ENOTDIR: 'blocked',
  EACCES: 'closed',
};

const WORDS: Partial<Record<ErrorCode, string>> = {
  DISK_FULL: 'is full',
  DISK_READ_ONLY: 'refuses access',
};

/**
 * Wraps a system error of a disk: which disk, what was being done to which path, and the error itself as the cause. What
 * is the process's own trouble becomes `OUT_OF_RESOURCES`, which accuses no disk.
 */
export function diskError(disk: string, action: string, path: string, cause: unknown): StoreError {
  const shortage = shortageError(cause, `cannot ${action} ${path} on disk "${disk}"`);
  if (shortage !== undefined) return shortage;
  const errno = errnoOf(cause);
  const code = CODES[errno ?? ''] ?? 'DISK_IO';
  const what = WORDS[code] ?? 'failed';
  const message = `disk "${disk}" ${what}: cannot ${action} ${path}: ${reasonOf(cause)}`;
  return new StoreError(code, message, { disk, path, fault: FAULTS[errno ?? ''], errno }, cause);
}
