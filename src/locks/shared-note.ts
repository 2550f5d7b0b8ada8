import { randomUUID } from 'node:crypto';
import { constants, readFileSync } from 'node:fs';
import { errnoOf, reasonOf, StoreError } from '../errors.ts';
import { ftruncate, readOnce, unlink, withFile, writeFully } from '../files/calls.ts';

/** Longer than any note. */
const MAX_BYTES = 512;

const FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;

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
 * power has left of it is of another boot, and counts as empty. A lock is held by whoever updates it.
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
  async update(change: (text: string) => string): Promise<void> {
    try {
      await withFile(this.#path, FLAGS, async (fd) => {
        const bytes = Buffer.from(`${this.#boot}\n${change(await this.#read(fd))}\n`);
        await writeFully(fd, bytes, 0);
        await ftruncate(fd, bytes.length);
      });
    } catch (error) {
      await this.#forget(error);
    }
  }

  async #read(fd: number): Promise<string> {
    const buffer = Buffer.alloc(MAX_BYTES);
    const [boot, text, end] = buffer.toString('utf8', 0, await readOnce(fd, buffer, 0)).split('\n');
    return boot === this.#boot && end !== undefined ? (text ?? '') : '';
  }

  /** On a full disk a file can't be made or grow, but it can be removed. */
  async #forget(cause: unknown): Promise<void> {
    try {
      await unlink(this.#path);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return;
      const words = `the store cannot be written to: ${reasonOf(cause)} ("${this.#path}")`;
      throw new StoreError('STORE_NOT_WRITABLE', words, { path: this.#path }, cause);
    }
  }
}
