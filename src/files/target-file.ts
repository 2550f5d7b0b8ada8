import { BLOCK_SIZE, isAligned } from '../memory/aligned.ts';
import { close, fsync, ftruncate, open, openForWriting, succeeds, WRITE_FLAGS, writeFully } from './calls.ts';

/** Below this size a file is written through the page cache, which is as fast and takes one descriptor. */
const DIRECT_FROM = 1024 * 1024;

/** A new file of a known size, written in pieces in any order; whole blocks go past the page cache where that is possible. */
export class TargetFile {
  readonly #plain: number;
  readonly #direct: number | undefined;

  private constructor(plain: number, direct: number | undefined) {
    this.#plain = plain;
    this.#direct = direct;
  }

  /** @param size Bytes that the file will have. */
  static async create(path: string, size: number): Promise<TargetFile> {
    const plain = await open(path, WRITE_FLAGS.exclusive, 0o666);
    try {
      if (size < DIRECT_FROM) return new TargetFile(plain, undefined);
      // With its size fixed beforehand, writes side by side don't wait for each other to make the file longer.
      await ftruncate(plain, size);
      return new TargetFile(plain, await openForWriting(path, WRITE_FLAGS.again, true));
    } catch (error) {
      await close(plain).catch(() => undefined);
      throw error;
    }
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    if (this.#direct !== undefined && position % BLOCK_SIZE === 0 && isAligned(bytes)) {
      // Direct I/O that opens and then does not take our blocks: an unusual device.
      if (await succeeds(writeFully(this.#direct, bytes, position), 'EINVAL')) return;
    }
    await writeFully(this.#plain, bytes, position);
  }

  /** Makes what has been written durable, by whichever way it went. */
  async sync(): Promise<void> {
    await fsync(this.#plain);
  }

  async close(): Promise<void> {
    try {
      if (this.#direct !== undefined) await close(this.#direct);
    } finally {
      await close(this.#plain);
    }
  }
}
