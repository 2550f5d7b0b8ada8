import * as fs from 'node:fs/promises';
import { run, type RunOptions } from './process.ts';

/** System calls of a program with all its threads and children. */
export interface SystemCalls {
  /** All but those of `futex`. */
  calls: number;
  /** Threads that wait for each other or wake each other; how many they need differs from run to run. */
  futexCalls: number;
  /** Calls that make files, folders or file systems durable. */
  syncs: number;
}

const SYNCS = ['fsync', 'fdatasync', 'syncfs', 'sync', 'sync_file_range', 'msync'];

/** A line of strace's summary: share, seconds, microseconds a call, calls, errors where there are any, and the name. */
const LINE = /^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$/gm;

/** Runs a program to its end under strace. @param report a file for what strace has counted */
export async function countSystemCalls(
  report: string,
  program: string,
  args: readonly string[],
  options: RunOptions,
): Promise<SystemCalls> {
  await run('strace', ['-f', '-c', '-o', report, program, ...args], options);
  const found: SystemCalls = { calls: 0, futexCalls: 0, syncs: 0 };
  for (const [, count = '', name = ''] of (await fs.readFile(report, 'utf8')).matchAll(LINE)) {
    if (name === 'total') continue;
    if (name === 'futex') found.futexCalls += Number(count);
    else found.calls += Number(count);
    if (SYNCS.includes(name)) found.syncs += Number(count);
  }
  if (found.calls === 0) throw new Error('strace has counted no system call');
  return found;
}
