import { spawn } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import * as path from 'node:path';
import { performance } from 'node:perf_hooks';

export interface RunOptions {
  signal: AbortSignal;
  cwd?: string;
  /** Added to this process's environment. */
  env?: Record<string, string>;
}

/** Runs a program to its end and gives the milliseconds from start to exit. Fails unless it exits with 0. */
export async function run(program: string, args: readonly string[], options: RunOptions): Promise<number> {
  const { milliseconds } = await execute(program, args, options, 'ignore');
  return milliseconds;
}

/** What a program writes to standard output. Fails unless it exits with 0. */
export async function outputOf(program: string, args: readonly string[], options: RunOptions): Promise<string> {
  const { output } = await execute(program, args, options, 'pipe');
  return output;
}

function execute(
  program: string,
  args: readonly string[],
  { signal, cwd, env }: RunOptions,
  stdout: 'ignore' | 'pipe',
): Promise<{ milliseconds: number; output: string }> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', stdout, 'pipe'],
      signal,
    });
    let output = '';
    let complaint = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (complaint += text));
    child.on('error', reject);
    child.on('close', (code, killedBy) => {
      if (code === 0) resolve({ milliseconds: performance.now() - start, output });
      else reject(new Error(`${program} ended with ${code ?? killedBy}: ${complaint.trim()}`));
    });
  });
}

/** Whether a program is found on the path. */
export async function isInstalled(program: string): Promise<boolean> {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter);
  for (const folder of folders) {
    const found = await access(path.join(folder, program), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return false;
}

/** Runs a shell's script; its arguments are `$1`, `$2`, … */
export function runShell(script: string, args: readonly string[], options: RunOptions): Promise<number> {
  return run('sh', ['-c', script, 'sh', ...args], options);
}

/** Milliseconds that `work` takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
