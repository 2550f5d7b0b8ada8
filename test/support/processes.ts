import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import ts from 'typescript';
import { onTestFinished } from 'vitest';
import { compiledDoor, type Door } from './build.ts';

export interface StartOptions {
  cwd?: string;
  /** Added to this process's environment. */
  env?: Record<string, string>;
  /** Where results go: gathered here (the default), left for the test to read, or written to a descriptor. */
  stdout?: 'gather' | 'leave' | number;
}

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** What was gathered. */
  stdout: string;
  stderr: string;
}

/** A process of a test. It is killed when the test is over, should it still run. */
export interface Running {
  pid: number;
  stdin: Writable;
  /** Undefined where stdout goes to a descriptor. */
  stdout: Readable | undefined;
  /** When the process has ended and its streams are closed. */
  ended: Promise<Ended>;
  /** What has come on stdout so far. */
  output: () => string;
  isOver: () => boolean;
  kill: (signal: NodeJS.Signals) => void;
}

export function start(command: string, args: readonly string[], options: StartOptions = {}): Running {
  const { stdout = 'gather' } = options;
  const child = spawn(command, args, {
    stdio: ['pipe', typeof stdout === 'number' ? stdout : 'pipe', 'pipe'],
    cwd: options.cwd,
    env: { ...process.env, MINI_OBJECT_STORE_ROOT: undefined, DEBUG: undefined, ...options.env },
  });
  if (child.stdin === null || child.stderr === null) throw new Error(`${command} did not start`);
  const output = stdout === 'gather' ? gather(child.stdout) : (): string => '';
  const errors = gather(child.stderr);
  // A process that needs no more input may close it first.
  child.stdin.on('error', () => undefined);
  let over = false;
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      over = true;
      resolve({ code, signal, stdout: output(), stderr: errors() });
    });
  });
  ended.catch(() => undefined);
  onTestFinished(() => {
    if (!over) child.kill('SIGKILL');
    child.stdout?.destroy();
  });
  return {
    pid: child.pid ?? -1,
    stdin: child.stdin,
    stdout: child.stdout ?? undefined,
    ended,
    output,
    isOver: () => over,
    kill: (signal) => child.kill(signal),
  };
}

function gather(stream: Readable | null): () => string {
  const pieces: Buffer[] = [];
  stream?.on('data', (piece: Buffer) => pieces.push(piece));
  return () => Buffer.concat(pieces).toString('utf8');
}

/** Runs a program to its end, with no input. */
export async function runProgram(command: string, args: readonly string[], options: StartOptions = {}): Promise<Ended> {
  const running = start(command, args, options);
  running.stdin.end();
  return running.ended;
}

/** Starts a compiled entry point. */
export function startDoor(door: Door, args: readonly string[], options: StartOptions = {}): Running {
  return start(process.execPath, [compiledDoor(door), ...args], options);
}

/** Runs a compiled entry point to its end, with no input. */
export async function runDoor(door: Door, args: readonly string[], options: StartOptions = {}): Promise<Ended> {
  const running = startDoor(door, args, options);
  running.stdin.end();
  return running.ended;
}

/** Only a fault can make a wait this long. */
const UNTIL_MS = 30_000;

/** Waits until `condition` holds. @throws when it does not come true */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + UNTIL_MS;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await sleep(1);
  }
}

/** Waits until `condition` holds while the process runs. @throws with its output if it ends before */
export async function untilWhile(running: Running, what: string, condition: () => boolean): Promise<void> {
  await until(what, () => running.isOver() || condition());
  if (!running.isOver()) return;
  const { code, signal, stdout, stderr } = await running.ended;
  throw new Error(`the process ended (${code ?? signal}) before ${what}\n${stdout}${stderr}`);
}

/** The compiled library, for other processes to import. */
export function compiledLibrary(): string {
  return path.join(path.dirname(compiledDoor('store')), '../src/index.js');
}

/**
 * Compiles scripts of the tests into `folder`, because plain Node starts several times faster than tsx.
 * @returns the path of the first one
 */
export function compileScripts(folder: string, files: readonly [string, ...string[]]): string {
  const compilerOptions: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.ESNext,
    verbatimModuleSyntax: true,
    rewriteRelativeImportExtensions: true,
  };
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'package.json'), '{"type":"module"}');
  const targetOf = (file: string): string => path.join(folder, `${path.basename(file, '.ts')}.js`);
  for (const file of files) {
    const { outputText } = ts.transpileModule(readFileSync(file, 'utf8'), { compilerOptions, fileName: file });
    writeFileSync(targetOf(file), outputText);
  }
  return targetOf(files[0]);
}

/** Why tests can't mount file systems in a namespace of their own, or undefined where they can. */
export function mountProblem(): string | undefined {
  const result = spawnSync('unshare', ['-m', 'sh', '-c', 'mount -t tmpfs none /mnt'], { encoding: 'utf8' });
  if (result.status === 0) return undefined;
  return `mounting needs root on Linux (${result.error?.message ?? result.stderr.trim()})`;
}

/** Runs a shell script in a namespace of its own, where it may mount what it likes. Its arguments are `$1`, `$2`, … */
export function runWithMounts(script: string, args: readonly string[]): Promise<Ended> {
  return runProgram('unshare', ['-m', 'sh', '-c', script, 'sh', ...args]);
}
