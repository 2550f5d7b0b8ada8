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
  #broken = false;

  constructor(stream: Writable & { isTTY?: boolean; columns?: number }) {
    this.stream = stream;
    this.isTerminal = stream.isTTY === true;
    this.columns = stream.columns ?? 80;
    // Whoever closes the pipe wants no more; that is no failure of ours.
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      this.#broken = true;
    });
  }

  /** True once the reader has gone. */
  get broken(): boolean {
    return this.#broken;
  }

  /** Writes a line, and waits where the reader is slower. */
  async line(text: string): Promise<void> {
    if (this.#broken || this.stream.write(`${text}\n`)) return;
    await Promise.race([once(this.stream, 'drain'), once(this.stream, 'close')]).catch(() => undefined);
  }

  /** Writes an object as a line of JSON. */
  json(value: unknown): Promise<void> {
    return this.line(JSON.stringify(value));
  }
}
