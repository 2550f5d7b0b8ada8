import { hash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { StoreError } from '../errors.ts';

/** Bytes that are hashed here before other threads are worth their start. */
const WARM_UP = 8 * 1024 * 1024;

/** Fewer bytes are hashed sooner than another thread hears of them. */
const LEAST_BYTES = 256 * 1024;

/** How many hashes wait for a thread at most: it should never have to wait for this one, nor this one for long. */
const QUEUE = 4;

const MOST_THREADS = 3;

/** What a thread runs. Text, because it must run from the sources, from a build and in tests alike, and start fast. */
const PROGRAM = `
  const { hash } = require('node:crypto');
  const { parentPort } = require('node:worker_threads');
  parentPort.on('message', ({ memory, from, length }) => {
    const sha256 = hash('sha256', new Uint8Array(memory, from, length), 'hex');
    if (memory instanceof SharedArrayBuffer) parentPort.postMessage({ sha256 });
    else parentPort.postMessage({ sha256, memory }, [memory]);
  });
`;

/** Bytes and their SHA-256. */
export interface Hashed {
  sha256: string;
  bytes: Uint8Array;
}

interface Job {
  /** @param moved the memory, if it was moved to the thread and back */
  done: (sha256: string, moved: ArrayBuffer | undefined) => void;
  /** The thread has ended. */
  abandon: () => void;
}

/** A thread that hashes bytes, in the order in which they are given to it. It shares their memory, or has it meanwhile. */
class HashThread {
  readonly #worker = new Worker(PROGRAM, { eval: true, execArgv: [], env: {} });
  readonly #waiting: Job[] = [];
  #isBroken = false;

  constructor() {
    // It must not keep the process alive while there is nothing to do.
    this.#worker.unref();
    this.#worker.on('message', ({ sha256, memory }: { sha256: string; memory?: ArrayBuffer }) => {
      this.#waiting.shift()?.done(sha256, memory);
      if (this.#waiting.length === 0) this.#worker.unref();
    });
    const stop = (): void => {
      this.#isBroken = true;
      for (const { abandon } of this.#waiting.splice(0)) abandon();
    };
    this.#worker.on('error', stop);
    this.#worker.on('exit', stop);
  }

  get isFree(): boolean {
    return !this.#isBroken && this.#waiting.length < QUEUE;
  }

  hash(bytes: Uint8Array): Promise<Hashed> {
    return new Promise((resolve, reject) => {
      const { buffer: memory, byteOffset: from, length } = bytes;
      const isShared = memory instanceof SharedArrayBuffer;
      const abandon = (): void => {
        if (isShared) resolve(hashNow(bytes));
        else reject(new StoreError('OUT_OF_RESOURCES', 'a thread that computes checksums has ended'));
      };
      // What is shared stays the very memory that it was: direct I/O and the kernel know theirs by that.
      const done = (sha256: string, moved: ArrayBuffer | undefined): void => {
        resolve({ sha256, bytes: moved === undefined ? bytes : new Uint8Array(moved, from, length) });
      };
      this.#waiting.push({ done, abandon });
      this.#worker.ref();
      this.#worker.postMessage({ memory, from, length }, isShared ? [] : [memory]);
    });
  }
}

const threads: HashThread[] = [];
let canStart = true;
let hashed = 0;

/** A free thread, a new one if need be; undefined where this thread does best itself. */
function freeThread(bytes: Uint8Array): HashThread | undefined {
  if (bytes.length < LEAST_BYTES) return undefined;
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

function hashNow(bytes: Uint8Array): Hashed {
  return { sha256: sha256Now(bytes), bytes };
}

/**
 * SHA-256 (FIPS 180-4) in hex; never rejects. Large buffers of `alignedBuffers` are hashed by other threads and by this one
 * side by side: hashing takes longer than everything else that is done with a chunk. The bytes must stay as they are until
 * it resolves, unless nobody uses the result.
 */
export async function sha256(bytes: Uint8Array): Promise<string> {
  const thread = bytes.buffer instanceof SharedArrayBuffer ? freeThread(bytes) : undefined;
  return thread === undefined ? sha256Now(bytes) : (await thread.hash(bytes)).sha256;
}

/**
 * The same of bytes whose memory is the caller's alone: if it is not shared, it is moved to another thread and back, without
 * a copy. So the caller goes on with the bytes that come back, and never uses the old ones again.
 * @throws OUT_OF_RESOURCES where that thread ends with them
 */
export async function sha256Moving(bytes: Uint8Array): Promise<Hashed> {
  return freeThread(bytes)?.hash(bytes) ?? hashNow(bytes);
}
