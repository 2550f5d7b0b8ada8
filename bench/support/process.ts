import { spawn } from 'node:child_process';
import { performance } from 'node:perf_hooks';

export interface RunOptions {
  signal: AbortSignal;
  cwd?: string;
  /** Added to this process's environment. */
  env?: Record<string, string>;
}

/** Runs a program to its end and gives the milliseconds from start to exit. Fails unless it exits with 0. */
export function run(program: string, args: readonly string[], { signal, cwd, env }: RunOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
      signal,
    });
    let complaint = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint += text));
    child.on('error', reject);
    child.on('close', (code, killedBy) => {
      if (code === 0) resolve(performance.now() - start);
      else reject(new Error(`${program} ended with ${code ?? killedBy}: ${complaint.trim()}`));
    });
  });
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
