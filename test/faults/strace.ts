import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** How a command ended. */
export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** One system call of a traced command. */
export interface Call {
  thread: number;
  name: string;
  /** The arguments as strace prints them, descriptors with their paths. */
  args: string;
  /** What the call returned, as strace prints it; undefined for a call that never returned. */
  result: string | undefined;
  /** 1 for the thread's first call of that name, and so on: what strace's `when=` counts. */
  ordinal: number;
  /** Positions in the log of its begin and its end: a call that ends before another begins has happened before it. */
  began: number;
  ended: number;
}

export interface Traced extends Ended {
  calls: Call[];
}

export interface TraceOptions {
  /** System calls to log. */
  trace: readonly string[];
  log: string;
  /** A fault, in strace's words: `fsync:error=EIO:when=3`. */
  inject?: string;
  /** Options of Node before the script. */
  nodeOptions?: readonly string[];
  /** Further options of strace. */
  flags?: readonly string[];
  cwd?: string;
}

/** Calls that change what is on a disk, or that make it durable. */
export const STATE_CALLS = [
  'openat',
  'pwrite64',
  'pwritev',
  'write',
  'fsync',
  'fdatasync',
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
  'ftruncate',
  'copy_file_range',
];

/** Without threads for V8's own work there is less to trace, and less that differs from run to run. */
const QUICK = ['--v8-pool-size=0'];

/** A command that hangs is killed, and its test fails. */
const LIMIT_MS = 60_000;

/** Why tests with strace can't run here, or undefined where they can. */
export function straceProblem(): string | undefined {
  const probe = spawnSync('strace', [
    '-qq',
    '-e',
    'trace=fsync',
    '-e',
    'inject=fsync:error=EIO',
    '-o',
    '/dev/null',
    'true',
  ]);
  if (probe.error !== undefined) return 'strace is not installed';
  if (probe.status !== 0) return `strace can't trace here: ${probe.stderr.toString().trim()}`;
  return undefined;
}

/**
 * Runs Node under strace. libuv's pool gets one thread, so that file calls come one after the other, in nearly the same
 * order in every run.
 */
export async function traceNode(args: readonly string[], options: TraceOptions): Promise<Traced> {
  const flags = [
    '-f',
    '-qq',
    '-y',
    '-e',
    `trace=${options.trace.join(',')}`,
    '-o',
    options.log,
    ...(options.flags ?? []),
  ];
  if (options.inject !== undefined) flags.push('-e', `inject=${options.inject}`);
  // Makes tracing quick; but strace 6.1 then injects no signals.
  if (options.inject?.includes(':signal=') !== true) flags.push('--seccomp-bpf');
  const ended = await run(
    'strace',
    [...flags, process.execPath, ...QUICK, ...(options.nodeOptions ?? []), ...args],
    options.cwd,
  );
  return { ...ended, calls: parseLog(readFileSync(options.log, 'utf8')) };
}

/** Runs a Node script without strace. */
export function runNode(args: readonly string[], cwd?: string): Promise<Ended> {
  return run(process.execPath, args, cwd);
}

function run(command: string, args: readonly string[], cwd: string | undefined): Promise<Ended> {
  const env: NodeJS.ProcessEnv = { ...process.env, UV_THREADPOOL_SIZE: '1' };
  for (const name of ['NODE_OPTIONS', 'DEBUG', 'FORCE_COLOR', 'MINI_OBJECT_STORE_ROOT', 'VITEST'])
    Reflect.deleteProperty(env, name);
  return new Promise((resolve, reject) => {
    // A group of its own, so that strace and what it traces can be stopped together.
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (data: Buffer) => (output.stdout += data.toString('utf8')));
    child.stderr.on('data', (data: Buffer) => (output.stderr += data.toString('utf8')));
    const limit = setTimeout(() => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      reject(new Error(`still running after ${LIMIT_MS / 1000} s: ${command} ${args.join(' ')}`));
    }, LIMIT_MS);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(limit);
      resolve({ code, signal, ...output });
    });
  });
}

const WHOLE = /^(\d+) +(\w+)\((.*)\) += (.*)$/;
const BEGUN = /^(\d+) +(\w+)\((.*?)(?: <unfinished \.\.\.>\)?(?: += \?)?)$/;
const RESUMED = /^(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (.*)$/;

function parseLog(log: string): Call[] {
  const calls: Call[] = [];
  const counts = new Map<string, number>();
  const running = new Map<string, Call>();
  const add = (line: number, thread = '', name = '', args = '', result?: string): void => {
    const counted = `${thread} ${name}`;
    const ordinal = (counts.get(counted) ?? 0) + 1;
    counts.set(counted, ordinal);
    const call = { thread: Number(thread), name, args, result, ordinal, began: line, ended: line };
    calls.push(call);
    if (result === undefined) running.set(counted, call);
  };
  log.split('\n').forEach((text, line) => {
    const resumed = RESUMED.exec(text);
    if (resumed !== null) {
      const [, thread = '', name = '', args = '', result] = resumed;
      const call = running.get(`${thread} ${name}`);
      running.delete(`${thread} ${name}`);
      if (call !== undefined)
        Object.assign(call, { args: call.args + args, result: result === '?' ? undefined : result, ended: line });
      return;
    }
    const begun = BEGUN.exec(text);
    if (begun !== null) {
      add(line, begun[1], begun[2], begun[3]);
      return;
    }
    const whole = WHOLE.exec(text);
    if (whole !== null) add(line, whole[1], whole[2], whole[3], whole[4] === '?' ? undefined : whole[4]);
  });
  return calls;
}
