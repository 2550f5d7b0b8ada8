import { hash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

/** Bytes that are hashed here before other threads are worth their start. */
const WARM_UP = 8 * 1024 * 1024;

/** Fewer bytes are hashed sooner than another thread hears of them. */
const LEAST_BYTES = 256 * 1024;

/** So many hashes wait for a thread at most: it should never have to wait for this one, nor this one for long. */
const QUEUE = 4;

const MOST_THREADS = 3;

/** What a thread runs. Text, because it must run from the sources, from a build and in tests alike, and start fast. */
const PROGRAM = `
  const { hash } = require('node:crypto');
  const { parentPort } = require('node:worker_threads');
  parentPort.on('message', ({ memory, from, length }) => {
    parentPort.postMessage(hash('sha256', new Uint8Array(memory, from, length), 'hex'));
  });
`;

/** A thread that hashes bytes in shared memory, in the order in which they are given to it. */
class HashThread {
  readonly #worker = new Worker(PROGRAM, { eval: true, execArgv: [], env: {} });
  readonly #waiting: { bytes: Uint8Array; resolve: (sha256: string) => void }[] = [];
  #isBroken = false;

  constructor() {
    // It must not keep the process alive while there is nothing to do.
    this.#worker.unref();
    this.#worker.on('message', (sha256: string) => {
      this.#waiting.shift()?.resolve(sha256);
      if (this.#waiting.length === 0) this.#worker.unref();
    });
    const stop = (): void => {
      this.#isBroken = true;
      for (const { bytes, resolve } of this.#waiting.splice(0)) resolve(sha256Now(bytes));
    };
    this.#worker.on('error', stop);
    this.#worker.on('exit', stop);
  }

  get isFree(): boolean {
    return !this.#isBroken && this.#waiting.length < QUEUE;
  }

  sha256(bytes: Uint8Array): Promise<string> {
    return new Promise((resolve) => {
      this.#waiting.push({ bytes, resolve });
      this.#worker.ref();
      this.#worker.postMessage({ memory: bytes.buffer, from: bytes.byteOffset, length: bytes.length });
    });
  }
}

const threads: HashThread[] = [];
let canStart = true;
let hashed = 0;

/** A free thread, a new one if need be; undefined where this thread does best itself. */
function freeThread(bytes: Uint8Array): HashThread | undefined {
  if (bytes.length < LEAST_BYTES || !(bytes.buffer instanceof SharedArrayBuffer)) return undefined;
  hashed += bytes.length;
  if (hashed <= WARM_UP) return undefined;
  const free = threads.find(({ isFree }) => isFree);
  if (free !== undefined || !canStart || threads.length >= Math.min(MOST_THREADS, availableParallelism() - 1))
    return free;
  try {
    const thread = new HashThread();
    threads.push(thread);
    return thread;
  } catch {
    // The system, or Node's permissions, allow no more threads: then those that are there do it, and this one.
    canStart = false;
    return undefined;
  }
}

/** SHA-256 (FIPS 180-4) in hex, computed at once, by this thread. */
export function sha256Now(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex');
}

/**
 * SHA-256 (FIPS 180-4) in hex; never rejects. Large buffers of `alignedBuffers` are hashed by other threads and by this one
 * side by side: hashing takes longer than everything else that is done with a chunk. The bytes must stay as they are until
 * it resolves, unless nobody uses the result.
 */
export function sha256(bytes: Uint8Array): Promise<string> {
  return freeThread(bytes)?.sha256(bytes) ?? Promise.resolve(sha256Now(bytes));
}
