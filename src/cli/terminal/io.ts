import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';

/** What a command works with instead of the process: tests give it their own. */
export interface Io {
  stdin: Readable;
  stdout: Output;
  stderr: Output;
  env: Readonly<Record<string, string | undefined>>;
  /** Aborted on Ctrl-C. */
  signal: AbortSignal;
}

/** A stream for people or programs, line by line. */
export class Output {
  readonly stream: Writable;
  /** Whether somebody sees it who can see a bar and colours. */
  readonly isTerminal: boolean;
  /** Width in characters. */
  readonly columns: number;
  #failure: NodeJS.ErrnoException | undefined;

  constructor(stream: Writable & { isTTY?: boolean; columns?: number }) {
    this.stream = stream;
    this.isTerminal = stream.isTTY === true;
    // A terminal that does not know its width says 0.
    this.columns = stream.columns === undefined || stream.columns === 0 ? 80 : stream.columns;
    stream.on('error', (error: NodeJS.ErrnoException) => {
      this.#failure ??= error;
    });
  }

  /** True once nothing more can be written. */
  get broken(): boolean {
    return this.#failure !== undefined;
  }

  /** Why nothing more can be written; a reader that has gone wants no more, and that is no failure. */
  get failure(): Error | undefined {
    return this.#failure?.code === 'EPIPE' ? undefined : this.#failure;
  }

  /** Writes a line, and waits where the reader is slower. */
  async line(text: string): Promise<void> {
    if (this.broken || this.stream.write(`${text}\n`)) return;
    const done = new AbortController();
    const events = ['drain', 'close'].map((name) => once(this.stream, name, { signal: done.signal }));
    await Promise.race(events).catch(() => undefined);
    done.abort();
    await Promise.allSettled(events);
  }

  /** Writes an object as a line of JSON. */
  json(value: unknown): Promise<void> {
    return this.line(JSON.stringify(value));
  }

  /** Writes a result: for programs as a line of JSON, for people in words. */
  result({ json }: { json?: true }, value: object, words: string): Promise<void> {
    return json === true ? this.json(value) : this.line(words);
  }
}
