import { Worker } from 'node:worker_threads';

/** A step of a job; paths are relative to the request's root, and no folder on the way may be a link. */
export type Step =
  | { do: 'read' | 'stat' | 'unlink' | 'make-folder' | 'remove-folder' | 'sync-folder'; path: string }
  /** A file of somebody else's, by its absolute path: links are followed. One that changes meanwhile is not read. */
  | { do: 'read-source'; path: string }
  | { do: 'rename'; path: string; to: string }
  /** `from` and `to` are in the request's bytes. A file that can't be written whole is removed. `sync` makes its bytes durable. */
  | { do: 'write'; path: string; from: number; to: number; isNew: boolean; sync: boolean };

/** Steps that follow one another, up to the first that fails. */
export type Job = readonly Step[];

/** What became of a job: the place of what was read, what was looked at, or the system's error. */
export interface Outcome {
  from?: number;
  to?: number;
  stat?: { dev: number; ino: number; size: number; mtimeMs: number; ctimeMs: number; isFile: boolean };
  errno?: string;
  message?: string;
}

export interface Request {
  id: number;
  root: string;
  jobs: readonly Job[];
  bytes: ArrayBuffer;
}

export interface Reply {
  id: number;
  outcomes: Outcome[];
  bytes: ArrayBuffer;
}

/** What jobs came to, in their order, and the bytes that they read. */
export type Done = Omit<Reply, 'id'>;

/** A thread that has had nothing to do for so many milliseconds ends. */
const IDLE_MS = 2000;

/** What every job came to that no thread could do. */
const NO_THREAD = 'ECANCELED';

/**
 * A thread for small work on files, with calls that block: many of them cost far less there than each by itself in Node's
 * pool. Work that hangs keeps this thread, and nobody else's. It starts when it is needed and ends when it is idle, and does not keep
 * the process alive while it has nothing to do.
 */
export class FileThread {
  #worker: Worker | undefined;
  #ids = 0;
  readonly #waiting = new Map<number, { request: Request; done: (done: Done) => void }>();
  #idle: NodeJS.Timeout | undefined;

  /** Does the jobs in order. Never rejects: what could not be done, by whatever reason, is told of each job. */
  run(root: string, jobs: readonly Job[], bytes: ArrayBuffer = new ArrayBuffer(0)): Promise<Done> {
    const id = ++this.#ids;
    const request: Request = { id, root, jobs, bytes };
    return new Promise((done) => {
      this.#waiting.set(id, { request, done });
      clearTimeout(this.#idle);
      try {
        const worker = (this.#worker ??= this.#start());
        worker.ref();
        worker.postMessage(request, [bytes]);
      } catch {
        this.#end();
      }
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL('./file-thread-program.js', import.meta.url), { execArgv: [], env: {} });
    worker.on('message', ({ id, ...done }: Reply) => {
      this.#waiting.get(id)?.done(done);
      this.#waiting.delete(id);
      if (this.#waiting.size > 0) return;
      worker.unref();
      this.#idle = setTimeout(() => {
        this.#worker = undefined;
        void worker.terminate();
      }, IDLE_MS).unref();
    });
    const end = (): void => {
      if (this.#worker === worker) this.#end();
    };
    worker.on('error', end).on('exit', end);
    return worker;
  }

  /** The system allows no thread, or has ended it. */
  #end(): void {
    this.#worker = undefined;
    for (const { request, done } of this.#waiting.values()) {
      const failed = { errno: NO_THREAD, message: 'there is no thread for it' };
      done({ outcomes: request.jobs.map(() => failed), bytes: new ArrayBuffer(0) });
    }
    this.#waiting.clear();
  }
}

/** Puts bytes together for a request, and tells where each has gone. */
export function together(parts: readonly Uint8Array[]): { bytes: ArrayBuffer; ends: { from: number; to: number }[] } {
  const bytes = new ArrayBuffer(parts.reduce((sum, { length }) => sum + length, 0));
  const all = new Uint8Array(bytes);
  let at = 0;
  const ends = parts.map((part) => {
    all.set(part, at);
    at += part.length;
    return { from: at - part.length, to: at };
  });
  return { bytes, ends };
}
