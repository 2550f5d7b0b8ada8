/**
 * Every failure that a caller may want to tell apart. Codes are stable; messages are not.
 *
 * - `BAD_*`: the caller's input is wrong, nothing was done.
 * - `NO_SUCH_*`, `STORE_NOT_FOUND`: the thing that was named is not there.
 * - `DISK_*`: one disk failed; `details.disk` names it.
 * - `OUT_OF_RESOURCES`: this process has no more file descriptors or memory; it says nothing about any disk.
 */
export type ErrorCode =
  | 'BAD_BUCKET_NAME'
  | 'BAD_KEY'
  | 'BAD_DISK_NAME'
  | 'BAD_RANGE'
  | 'BAD_REDUNDANCY'
  | 'BAD_ROOT'
  | 'BAD_SOURCE'
  | 'BAD_TARGET'
  | 'STORE_NOT_FOUND'
  | 'STORE_EXISTS'
  | 'STORE_DAMAGED'
  | 'UNKNOWN_FORMAT'
  | 'NO_SUCH_BUCKET'
  | 'NO_SUCH_KEY'
  | 'NO_SUCH_DISK'
  | 'BUCKET_EXISTS'
  | 'BUCKET_NOT_EMPTY'
  | 'DISK_EXISTS'
  | 'DISK_NEEDED'
  | 'KEY_COLLISION'
  | 'SOURCE_CHANGED'
  | 'META_DAMAGED'
  | 'CHUNK_DAMAGED'
  | 'CHUNK_UNAVAILABLE'
  | 'TOO_FEW_DISKS_TO_READ'
  | 'TOO_FEW_DISKS_TO_WRITE'
  | 'STORE_NOT_WRITABLE'
  | 'DISK_FULL'
  | 'DISK_READ_ONLY'
  | 'DISK_IO'
  | 'TARGET_IO'
  | 'OUT_OF_RESOURCES'
  | 'ABORTED';

/**
 * What is wrong with what was asked of a disk, where somebody may act on it:
 *
 * - `missing`: it is not there, though its disk is.
 * - `damaged`: it is there, and other than it should be; `too-long`: with more bytes, which nobody reads.
 * - `blocked`: on the way to it stands what is no folder; `closed`: this process may not open it.
 * - `offline`: its disk is not there, or does not answer.
 * - `slow`: it has not come in time, and may still come.
 * - `unreadable`: its disk is there and can't read it, for any other reason.
 */
export type Fault = 'missing' | 'damaged' | 'too-long' | 'blocked' | 'closed' | 'offline' | 'slow' | 'unreadable';

/** Machine-readable facts of an error; which ones are there depends on its code. */
export interface ErrorDetails {
  bucket?: string;
  key?: string;
  version?: string;
  disk?: string;
  /** All disks that the failure concerns, where they are more than one. */
  disks?: string[];
  /** Number of the chunk in its object, from 0. */
  chunk?: number;
  /** First byte of the object, and the byte after the last one, that can't be read. */
  from?: number;
  to?: number;
  path?: string;
  expected?: string | number;
  found?: string | number;
  /** Of every `CHUNK_*`, and of `DISK_*` as far as that is known. */
  fault?: Fault;
  /** The system's error code behind this one, such as `EIO`: for people. Programs go by the code and `fault`. */
  errno?: string;
}

/** Facts that may be undefined, where they are not known. */
export type Perhaps<T> = { [Name in keyof T]: T[Name] | undefined };

/** The one error class of the library: a stable `code`, machine-readable `details`, and the `cause`. */
export class StoreError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  /** @param details those that are undefined count as not given */
  constructor(code: ErrorCode, message: string, details: Perhaps<ErrorDetails> = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'StoreError';
    this.code = code;
    this.details = Object.fromEntries(Object.entries(details).filter(([, fact]) => fact !== undefined));
  }
}

/** Tells whether `error` is a `StoreError`, with one of the codes if any are given. */
export function isStoreError(error: unknown, ...codes: ErrorCode[]): error is StoreError {
  return error instanceof StoreError && (codes.length === 0 || codes.includes(error.code));
}

/** Tells whether `error` says that something stored, or a disk, is at fault; and not this process, or whoever interrupted it. */
export function isDiskFault(error: unknown): error is StoreError {
  return isStoreError(error) && error.code !== 'OUT_OF_RESOURCES' && error.code !== 'ABORTED';
}

/** What a `catch` makes of an error that `isDiskFault`: any other is thrown on. */
export function diskFault(error: unknown): StoreError {
  if (isDiskFault(error)) return error;
  throw error;
}

/** The same where it does not matter what is at fault. */
export function ignoreDiskFault(error: unknown): undefined {
  diskFault(error);
}

/** The system's code of an error (`ENOENT`, `EIO`, …), or undefined where there is none. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}

/** An error's reason in words; a system error's without the call and the path, which the caller names better. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return errnoOf(error) === undefined ? error.message : (error.message.split(', ')[0] ?? error.message);
}

/** What a process runs out of, by the system's code. Each says nothing about the file or disk that was asked for. */
const SHORTAGES: Partial<Record<string, string>> = {
  EMFILE: 'this process may not open more files at once',
  ENFILE: 'the system may not open more files at once',
  ENOMEM: 'the system has no memory left',
  EINTR: 'signals keep interrupting this process',
};

/** Tells whether a system's error is the process's own trouble, and not that of what it asked for. */
export function isShortage(error: unknown): boolean {
  return SHORTAGES[errnoOf(error) ?? ''] !== undefined;
}

/** `OUT_OF_RESOURCES` where the error is a shortage, otherwise undefined. @param what could not be done: `cannot read …` */
export function shortageError(error: unknown, what: string): StoreError | undefined {
  if (isStoreError(error, 'OUT_OF_RESOURCES')) return error;
  const errno = errnoOf(error);
  const shortage = SHORTAGES[errno ?? ''];
  if (errno === undefined || shortage === undefined) return undefined;
  return new StoreError('OUT_OF_RESOURCES', `${shortage} (${errno}): ${what}`, { errno }, error);
}

/** Throws OUT_OF_RESOURCES where the error is a shortage. @param what could not be done: `cannot read …` */
export function throwIfShort(error: unknown, what: string): void {
  const shortage = shortageError(error, what);
  if (shortage !== undefined) throw shortage;
}

/** Throws `ABORTED` once `signal` has been aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new StoreError('ABORTED', 'interrupted', {}, signal.reason);
}

/** What has to be there; anything else would go on with the wrong bytes or names. @throws TypeError, for a slip of the program */
export function must<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new TypeError(`there is no ${what}`);
  return value;
}
