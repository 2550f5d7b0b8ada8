import * as fs from 'node:fs';
import { addAbortSignal, Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { close, fstat, open, readFully } from '../files/calls.ts';
import { errnoOf, reasonOf, shortageError, StoreError } from '../errors.ts';

/** What `put` takes: a path, bytes, or a stream of bytes. Bytes that change before it is done leave no object that is damaged. */
export type PutSource = string | Uint8Array | Readable | ReadableStream<Uint8Array>;

/** An object's bytes on their way in, chunk by chunk and in order. */
export interface ChunkSource {
  /** Bytes to come, where that is known beforehand. */
  readonly size: number | undefined;
  /** The next bytes, in `buffer` or elsewhere: as many as fit into `buffer`, fewer only at the end, none after it. */
  next(buffer: Buffer): Promise<Uint8Array>;
  /** Tells, once all has been read, that the source did not change meanwhile. @throws SOURCE_CHANGED */
  check(): Promise<void>;
  close(): Promise<void>;
}

/**
 * A stream is destroyed when `signal` is aborted: a read of it may otherwise wait for ever.
 * @throws BAD_SOURCE for a path that is missing, unreadable or no regular file
 */
export async function openSource(source: PutSource, signal?: AbortSignal): Promise<ChunkSource> {
  if (typeof source === 'string') return openFile(source);
  if (source instanceof Uint8Array) return new BytesSource(source);
  const stream = source instanceof Readable ? source : Readable.fromWeb(source);
  // An error before the first read would bring the process down; the read reports it.
  stream.on('error', () => undefined);
  return new StreamSource(signal === undefined ? stream : addAbortSignal(signal, stream));
}

async function openFile(path: string): Promise<ChunkSource> {
  let fd: number | undefined;
  try {
    // Without O_NONBLOCK, opening a FIFO would wait for its writer.
    fd = await open(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    const stats = await fstat(fd);
    if (!stats.isFile()) {
      const kind = stats.isDirectory() ? 'a folder' : 'not a regular file';
      throw new StoreError('BAD_SOURCE', `cannot read "${path}": it is ${kind}`, { path });
    }
    return new FileSource(path, fd, stats);
  } catch (error) {
    if (fd !== undefined) await close(fd);
    if (error instanceof StoreError) throw error;
    throw sourceError(path, error);
  }
}

function sourceError(path: string, cause: unknown): StoreError {
  const shortage = shortageError(cause, `cannot read "${path}"`);
  if (shortage !== undefined) return shortage;
  const errno = errnoOf(cause);
  const reasons: Partial<Record<string, string>> = {
    ENOENT: 'there is no such file',
    ENOTDIR: 'there is no such file',
    EACCES: 'permission denied',
    ENXIO: 'it is not a regular file',
  };
  const reason = reasons[errno ?? ''] ?? reasonOf(cause);
  return new StoreError('BAD_SOURCE', `cannot read "${path}": ${reason}`, { path, errno }, cause);
}

class FileSource implements ChunkSource {
  readonly size: number;
  readonly #path: string;
  readonly #fd: number;
  readonly #stats: fs.Stats;
  #position = 0;

  constructor(path: string, fd: number, stats: fs.Stats) {
    this.size = stats.size;
    this.#path = path;
    this.#fd = fd;
    this.#stats = stats;
  }

  async next(buffer: Buffer): Promise<Uint8Array> {
    const left = this.size - this.#position;
    const bytes = left > 0 ? buffer.subarray(0, left) : Buffer.allocUnsafe(1);
    let count: number;
    try {
      count = await readFully(this.#fd, bytes, this.#position);
    } catch (error) {
      throw sourceError(this.#path, error);
    }
    if (left === 0 && count > 0) await this.#refuseMore();
    this.#position += count;
    return bytes.subarray(0, count);
  }

  /** There is more than the size said: the file has grown, or the system makes it up, as in /proc. */
  async #refuseMore(): Promise<never> {
    await this.check();
    const words = `cannot read "${this.#path}": it has more bytes than its size says; give it as standard input`;
    throw new StoreError('BAD_SOURCE', words, { path: this.#path });
  }

  async check(): Promise<void> {
    const now = await fstat(this.#fd);
    const same = now.size === this.size && now.mtimeMs === this.#stats.mtimeMs;
    if (same && this.#position === this.size) return;
    const words = `"${this.#path}" changed while it was being read (${this.size} bytes before, ${now.size} now)`;
    throw new StoreError('SOURCE_CHANGED', words, { path: this.#path, expected: this.size, found: now.size });
  }

  async close(): Promise<void> {
    await close(this.#fd).catch(() => undefined);
  }
}

class BytesSource implements ChunkSource {
  readonly size: number;
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.size = bytes.length;
    this.#bytes = bytes;
  }

  next(buffer: Buffer): Promise<Uint8Array> {
    // A copy, because the caller may use its memory for something else: what is hashed has to be what is written.
    const part = this.#bytes.subarray(this.#position, this.#position + buffer.length);
    buffer.set(part);
    this.#position += part.length;
    return Promise.resolve(buffer.subarray(0, part.length));
  }

  check(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

class StreamSource implements ChunkSource {
  readonly size = undefined;
  readonly #stream: Readable;
  readonly #pieces: AsyncIterator<unknown>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(stream: Readable) {
    this.#stream = stream;
    this.#pieces = stream[Symbol.asyncIterator]();
  }

  async next(buffer: Buffer): Promise<Uint8Array> {
    let filled = 0;
    while (filled < buffer.length) {
      if (this.#rest.length === 0) {
        const piece = await this.#pull();
        if (piece === undefined) break;
        this.#rest = piece;
      }
      const part = this.#rest.subarray(0, buffer.length - filled);
      buffer.set(part, filled);
      filled += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return buffer.subarray(0, filled);
  }

  check(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#stream.destroy();
    return Promise.resolve();
  }

  async #pull(): Promise<Uint8Array | undefined> {
    let result: IteratorResult<unknown>;
    try {
      result = await this.#pieces.next();
    } catch (error) {
      throw new StoreError('BAD_SOURCE', `the stream failed: ${reasonOf(error)}`, {}, error);
    }
    if (result.done === true) return undefined;
    if (result.value instanceof Uint8Array) return result.value;
    if (typeof result.value === 'string') return Buffer.from(result.value, 'utf8');
    throw new TypeError('a source stream must give bytes or strings');
  }
}
