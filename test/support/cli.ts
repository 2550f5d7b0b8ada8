import * as path from 'node:path';
import { Readable, Writable } from 'node:stream';
import { downloadCommand } from '../../src/cli/commands/download.ts';
import { Output, type Io } from '../../src/cli/terminal/io.ts';
import { run, type CommandFactory } from '../../src/cli/commands/main.ts';
import { storeCommand } from '../../src/cli/commands/store.ts';
import { uploadCommand } from '../../src/cli/commands/upload.ts';
import { tempFolder } from './temp.ts';

/** A stream that keeps what is written to it, and may claim to be a terminal. */
class MemoryStream extends Writable {
  readonly isTTY: boolean;
  readonly columns: number;
  readonly #pieces: Buffer[] = [];

  constructor(isTTY: boolean, columns: number) {
    super();
    this.isTTY = isTTY;
    this.columns = columns;
  }

  override _write(piece: Buffer, _: BufferEncoding, done: () => void): void {
    this.#pieces.push(Buffer.from(piece));
    done();
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }
}

export interface IoOptions {
  stdin?: Readable | Uint8Array | string;
  env?: Record<string, string>;
  /** Whether stdout and stderr are a terminal. */
  terminal?: boolean;
  columns?: number;
  signal?: AbortSignal;
}

/** What a command came to. */
export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
  /** stdout, byte for byte. */
  bytes: Buffer;
}

/** Runs a command in this process with streams of its own. */
export async function runCommand(
  factory: CommandFactory,
  args: readonly string[],
  options: IoOptions = {},
): Promise<Ran> {
  const { stdin = '', env = {}, terminal = false, columns = 80, signal = new AbortController().signal } = options;
  const stdout = new MemoryStream(terminal, columns);
  const stderr = new MemoryStream(terminal, columns);
  const io: Io = {
    stdin: stdin instanceof Readable ? stdin : Readable.from([Buffer.from(stdin)], { objectMode: false }),
    stdout: new Output(stdout),
    stderr: new Output(stderr),
    env,
    signal,
  };
  const code = await run(factory, args, io);
  return { code, stdout: stdout.bytes.toString('utf8'), stderr: stderr.bytes.toString('utf8'), bytes: stdout.bytes };
}

/** The three commands on a store of their own, in a folder of one test. */
export class Cli {
  /** A folder for the test's files. */
  readonly folder: string;
  /** Where the store is, or will be. */
  readonly root: string;
  readonly #options: IoOptions;

  constructor(options: IoOptions = {}, folder = tempFolder()) {
    this.folder = folder;
    this.root = path.join(folder, 'store');
    this.#options = options;
  }

  /** The same store, with other streams. */
  with(options: IoOptions): Cli {
    return new Cli(options, this.folder);
  }

  /** A path in the test's folder. */
  path(...names: string[]): string {
    return path.join(this.folder, ...names);
  }

  upload(...args: string[]): Promise<Ran> {
    return this.#run(uploadCommand, args);
  }

  download(...args: string[]): Promise<Ran> {
    return this.#run(downloadCommand, args);
  }

  store(...args: string[]): Promise<Ran> {
    return this.#run(storeCommand, args);
  }

  #run(factory: CommandFactory, args: readonly string[]): Promise<Ran> {
    return runCommand(factory, ['--root', this.root, ...args], this.#options);
  }
}

/** The objects that lines of JSON on stdout are. */
export function parseLines(stdout: string): Record<string, unknown>[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line): Record<string, unknown> => {
      const value: unknown = JSON.parse(line);
      if (typeof value !== 'object' || value === null) throw new TypeError(`not an object: ${line}`);
      return { ...value };
    });
}
