import { Worker } from 'node:worker_threads';

/** A step of a job. */
export type Step =
  | { do: 'read' | 'stat' | 'unlink' | 'make-folder' | 'remove-folder' | 'sync-folder'; path: string }
  /** A file of somebody else's: a link is followed. One that changes meanwhile is not read. */
  | { do: 'read-source'; path: string }
  | { do: 'rename'; path: string; to: string }
  /** `from` and `to` are in the request's bytes. A file that can't be written whole is removed. `sync` makes its bytes durable. */
  | { do: 'write'; path: string; from: number; to: number; isNew: boolean; sync: boolean };

/** Steps that follow one another, up to the first that fails. */
export type Job = readonly Step[];

/**
 * What became of a job: the place of what was read, what was looked at, or the system's error. Nothing of that where there is
 * nothing at the path while the outermost folder on the way to it is there.
 */
export interface Outcome {
  from?: number;
  to?: number;
  stat?: { dev: number; ino: number; size: number; mtimeMs: number; ctimeMs: number; isFile: boolean };
  errno?: string;
  message?: string;
  /** It is the sync of a folder that failed, which is never tried again. */
  isUnsynced?: boolean;
}

/** What a thread is sent. Steps are words in one text, because objects would take longer to send than to do. */
export interface Request {
  id: number;
  /** Paths are relative to it, and no folder on the way may be a link. Where it is empty they are absolute, and links are followed. */
  root: string;
  /** With a NUL after each word, and after each job. */
  steps: string;
  /** Jobs. */
  count: number;
  bytes: ArrayBuffer;
  /** Of what file system all that is worked on must be, by its number (`stat(2)`); of any if undefined. */
  device: number | undefined;
}

/** What a thread answers. */
export interface Reply {
  id: number;
  bytes: ArrayBuffer;
  /** Of each job where what it has read begins and ends; less than 0 where it has read nothing. */
  places: Int32Array;
  looked: Looked[];
  failed: Failed[];
}

/** A file that a job, given by its number, has looked at. */
export interface Looked extends Required<Pick<Outcome, 'stat'>> {
  job: number;
}

/** A job that has failed, by its number. */
export interface Failed extends Required<Pick<Outcome, 'errno' | 'message' | 'isUnsynced'>> {
  job: number;
}

/** What a request may bring with it. Its bytes are handed over. */
export type Given = Partial<Pick<Request, 'bytes' | 'device'>>;

/** What jobs came to, in their order, and the bytes that they read. */
export interface Done {
  outcomes: readonly Outcome[];
  bytes: ArrayBuffer;
}

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
  run(root: string, jobs: readonly Job[], { bytes = new ArrayBuffer(0), device }: Given = {}): Promise<Done> {
    const id = ++this.#ids;
    const request: Request = { id, root, steps: jobs.map(encode).join(''), count: jobs.length, bytes, device };
    clearTimeout(this.#idle);
    return new Promise((done) => {
      this.#waiting.set(id, { request, done });
      try {
        const worker = (this.#worker ??= this.#start());
        worker.ref();
        worker.postMessage(request, [bytes]);
      } catch {
        // The system allows no thread, or no memory for the request.
        this.#waiting.delete(id);
        done(undone(request));
        this.#rest();
      }
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL('./file-thread-program.js', import.meta.url), { execArgv: [], env: {} });
    worker.on('message', (reply: Reply) => {
      this.#waiting.get(reply.id)?.done(decode(reply));
      this.#waiting.delete(reply.id);
      this.#rest();
    });
    const end = (): void => {
      if (this.#worker === worker) this.#end();
    };
    worker.on('error', end).on('exit', end);
    return worker;
  }

  /** Ends the thread in a while, if there is nothing to do for it. */
  #rest(): void {
    const worker = this.#worker;
    if (worker === undefined || this.#waiting.size > 0) return;
    worker.unref();
    this.#idle = setTimeout(() => {
      this.#worker = undefined;
      void worker.terminate();
    }, IDLE_MS).unref();
  }

  /** The thread has ended, with whatever it was at. */
  #end(): void {
    this.#worker = undefined;
    for (const { request, done } of this.#waiting.values()) done(undone(request));
    this.#waiting.clear();
  }
}

function encode(job: Job): string {
  return `${job.map(encodeStep).join('')}\0`;
}

function encodeStep(step: Step): string {
  const words: (string | number)[] = [step.do, step.path];
  if (step.do === 'rename') words.push(step.to);
  if (step.do === 'write') words.push(step.from, step.to, `${step.isNew ? 'new' : ''} ${step.sync ? 'sync' : ''}`);
  // A NUL would end a word; and no path has one, so the step fails.
  const isFit = words.every((word) => !String(word).includes('\0'));
  return isFit ? `${words.join('\0')}\0` : 'nothing\0there\0';
}

/** Of a job of which there is nothing to tell. */
const NOTHING: Outcome = {};

function decode({ places, looked, failed, bytes }: Reply): Done {
  const outcomes = Array.from({ length: places.length / 2 }, (_, job): Outcome => {
    const [from = 0, to = 0] = [places[2 * job], places[2 * job + 1]];
    return from < 0 ? NOTHING : { from, to };
  });
  for (const { job, stat } of looked) outcomes[job] = { stat };
  for (const { job, ...failure } of failed) outcomes[job] = failure;
  return { outcomes, bytes };
}

function undone({ count }: Request): Done {
  const failed = { errno: NO_THREAD, message: 'there is no thread for it' };
  return { outcomes: Array.from({ length: count }, () => failed), bytes: new ArrayBuffer(0) };
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
