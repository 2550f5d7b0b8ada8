import * as path from 'node:path';
import type { Call } from '../strace.ts';

/** One thing that a command has done to files, with paths relative to the folder that is watched. */
export type Step = {
  /** Position in the log where the call had returned: what it did may be on disk from then on. */
  at: number;
  /** Position in the log where it began: a sync makes durable what had returned before. */
  began: number;
  /** For people. */
  label: string;
} & (
  | { do: 'open'; fd: string; path: string; creates: boolean; truncates: boolean; appends: boolean }
  | { do: 'write'; fd: string; path: string; bytes: Buffer; position: number | undefined }
  | { do: 'truncate'; path: string; size: number }
  | { do: 'rename' | 'link'; path: string; to: string }
  | { do: 'symlink'; path: string; target: string }
  | { do: 'unlink' | 'mkdir' | 'rmdir' | 'sync' | 'sync file system'; path: string }
  | { do: 'sync all' }
  /** Something on standard output: the command's result. */
  | { do: 'print'; text: string }
);

/** Calls that are watched. Any of them that the model does not know is an error, never overlooked. */
export const WATCHED = [
  'open',
  'openat',
  'openat2',
  'creat',
  'write',
  'writev',
  'pwrite64',
  'pwritev',
  'pwritev2',
  'copy_file_range',
  'sendfile',
  'splice',
  'ftruncate',
  'truncate',
  'fallocate',
  'rename',
  'renameat',
  'renameat2',
  'link',
  'linkat',
  'symlink',
  'symlinkat',
  'unlink',
  'unlinkat',
  'rmdir',
  'mkdir',
  'mkdirat',
  'fsync',
  'fdatasync',
  'syncfs',
  'sync',
];

/** Options of strace, so that all bytes are in the log, and nothing in a string can be taken for the end of it. */
export const FULL_STRINGS = ['-xx', '-s', '2200000'];

/** What the calls of a log did in `folder`, in the order in which they returned. */
export function stepsOf(calls: readonly Call[], folder: string): Step[] {
  const steps = calls.flatMap((call) => {
    if (call.result === undefined || call.result.startsWith('-1')) return [];
    return stepOf(new Arguments(call, folder));
  });
  return steps.sort((a, b) => a.at - b.at);
}

function stepOf(args: Arguments): Step[] {
  const { name } = args.call;
  const at = (index: number): string | undefined => args.pathAt(index);
  const fd = args.descriptor;
  switch (name) {
    case 'open':
    case 'creat':
      return opened(args, at(0), name === 'creat' ? 'O_CREAT|O_TRUNC' : args.text(1));
    case 'openat':
      return opened(args, at(1), args.text(2));
    case 'write':
      if (fd.number === '1') return [args.step({ do: 'print', text: args.bytes(1).toString('utf8') })];
      return args.in(fd.path, (where) => ({
        do: 'write',
        fd: fd.number,
        path: where,
        bytes: args.bytes(1),
        position: undefined,
      }));
    case 'pwrite64':
      return args.in(fd.path, (where) => ({
        do: 'write',
        fd: fd.number,
        path: where,
        bytes: args.bytes(1),
        position: Number(args.text(3)),
      }));
    case 'ftruncate':
      return args.in(fd.path, (where) => ({ do: 'truncate', path: where, size: Number(args.text(1)) }));
    case 'truncate':
      return args.in(at(0), (where) => ({ do: 'truncate', path: where, size: Number(args.text(1)) }));
    case 'rename':
    case 'link':
      return args.both(name, at(0), at(1));
    case 'renameat':
    case 'renameat2':
      return args.both('rename', at(1), at(3));
    case 'linkat':
      return args.both('link', at(1), at(3));
    case 'symlink':
      return args.in(at(1), (where) => ({ do: 'symlink', path: where, target: args.string(0) }));
    case 'symlinkat':
      return args.in(at(2), (where) => ({ do: 'symlink', path: where, target: args.string(0) }));
    case 'unlink':
    case 'rmdir':
    case 'mkdir':
      return args.in(at(0), (where) => ({ do: name, path: where }));
    case 'unlinkat':
      return args.in(at(1), (where) => ({
        do: args.text(2).includes('AT_REMOVEDIR') ? 'rmdir' : 'unlink',
        path: where,
      }));
    case 'mkdirat':
      return args.in(at(1), (where) => ({ do: 'mkdir', path: where }));
    case 'fsync':
    case 'fdatasync':
      return args.in(fd.path, (where) => ({ do: 'sync', path: where }));
    case 'syncfs':
      return args.in(fd.path, (where) => ({ do: 'sync file system', path: where }));
    case 'sync':
      return [args.step({ do: 'sync all' })];
    default:
      return args.in(fd.path ?? at(0), () => {
        throw new Error(`the model does not know ${name}(${args.call.args.slice(0, 300)})`);
      });
  }
}

function opened(args: Arguments, file: string | undefined, flags: string): Step[] {
  const fd = /^\d+/.exec(args.call.result ?? '')?.[0] ?? '';
  const mayWrite = /\bO_(WRONLY|RDWR|CREAT|TRUNC)\b/.test(flags);
  if (!mayWrite) return [];
  return args.in(file, (where) => ({
    do: 'open',
    fd,
    path: where,
    creates: /\bO_CREAT\b/.test(flags),
    truncates: /\bO_TRUNC\b/.test(flags),
    appends: /\bO_APPEND\b/.test(flags),
  }));
}

type Deed<T = Step> = T extends Step ? Omit<T, 'at' | 'began' | 'label'> : never;

/** The arguments of a call as strace prints them: with all strings in hex, no comma is in one of them. */
class Arguments {
  readonly call: Call;
  readonly #folder: string;
  readonly #list: string[];

  constructor(call: Call, folder: string) {
    this.call = call;
    this.#folder = folder;
    this.#list = call.args.split(/, */);
  }

  text(index: number): string {
    return this.#list[index] ?? '';
  }

  bytes(index: number): Buffer {
    return Buffer.from(
      /^"((?:\\x[0-9a-f]{2})*)"$/.exec(this.text(index))?.[1]?.replaceAll('\\x', '') ?? this.#fail(index),
      'hex',
    );
  }

  string(index: number): string {
    return this.bytes(index).toString('utf8');
  }

  /** The file that the first argument, a descriptor, stands for; undefined where it has no name any more. */
  get descriptor(): { number: string; path: string | undefined } {
    const [, number = '', name = ''] = /^(\d+)(?:<([^>]*)>)?/.exec(this.text(0)) ?? [];
    const isGone = this.text(0).endsWith('(deleted)');
    return { number, path: isGone ? undefined : unhex(name) };
  }

  /** An absolute path; the argument before it may say what it is relative to. */
  pathAt(index: number): string | undefined {
    if (!this.text(index).startsWith('"')) return undefined;
    const from = unhex(/<([^>]*)>/.exec(this.text(index - 1))?.[1] ?? '');
    return path.resolve(from === '' ? '/' : from, this.string(index));
  }

  step(deed: Deed): Step {
    const { began, ended } = this.call;
    const where = 'path' in deed ? ` ${deed.path}` : '';
    return { ...deed, at: ended, began, label: `${deed.do}${where}${'to' in deed ? ` to ${deed.to}` : ''}` };
  }

  /** A step, if the path is in the folder that is watched. */
  in(name: string | undefined, deed: (path: string) => Deed): Step[] {
    const relative = name === undefined ? undefined : this.#inside(name);
    return relative === undefined ? [] : [this.step(deed(relative))];
  }

  both(what: 'rename' | 'link', name: string | undefined, to: string | undefined): Step[] {
    return this.in(name, (from) => ({ do: what, path: from, to: this.#inside(to ?? '') ?? this.#fail(1) }));
  }

  #inside(name: string): string | undefined {
    if (name !== this.#folder && !name.startsWith(`${this.#folder}/`)) return undefined;
    return path.relative(this.#folder, name) || '.';
  }

  #fail(index: number): never {
    throw new Error(`cannot read argument ${index} of ${this.call.name}(${this.call.args.slice(0, 300)})`);
  }
}

function unhex(text: string): string {
  return text.includes('\\x') ? Buffer.from(text.replaceAll('\\x', ''), 'hex').toString('utf8') : text;
}
