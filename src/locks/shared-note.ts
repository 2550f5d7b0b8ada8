import { randomUUID } from 'node:crypto';
import { closeSync, constants, ftruncateSync, openSync, readFileSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { errnoOf, reasonOf, StoreError } from '../errors.ts';

/** Longer than any note. */
const MAX_BYTES = 512;

/** Names the time since the machine was last started. Where the system does not tell, no note is ever known again. */
function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return randomUUID();
  }
}

const THIS_BOOT = readBootId();

/**
 * A short text in a file that the processes of one machine share through the page cache. It is never synced: what a loss of
 * power has left of it is of another boot, and counts as empty. Calls block for a few microseconds each, and so can't come
 * between one another within a process; between processes a lock must be held.
 */
export class SharedNote {
  readonly #path: string;
  readonly #boot: string;

  /** @param boot names the machine's present run */
  constructor(path: string, boot = THIS_BOOT) {
    this.#path = path;
    this.#boot = boot;
  }

  /** @throws STORE_NOT_WRITABLE where the old text could be read again by somebody */
  update(change: (text: string) => string): void {
    let fd: number | undefined;
    try {
      fd = openSync(this.#path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o666);
      const text = change(this.#read(fd));
      const bytes = Buffer.from(`${this.#boot}\n${text}\n`);
      if (writeSync(fd, bytes, 0, bytes.length, 0) !== bytes.length) throw new Error('the file system took a part of it only');
      ftruncateSync(fd, bytes.length);
    } catch (error) {
      if (error instanceof StoreError) throw error;
      this.#forget(error);
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  }

  #read(fd: number): string {
    const buffer = Buffer.alloc(MAX_BYTES);
    const [boot, text, end] = buffer.toString('utf8', 0, readSync(fd, buffer, 0, MAX_BYTES, 0)).split('\n');
    return boot === this.#boot && end !== undefined ? (text ?? '') : '';
  }

  /** On a full disk a file can't be made or grow, but it can be removed. */
  #forget(cause: unknown): void {
    try {
      unlinkSync(this.#path);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return;
      throw new StoreError('STORE_NOT_WRITABLE', `the store cannot be written to: ${reasonOf(cause)} ("${this.#path}")`, { path: this.#path }, cause);
    }
  }
}
