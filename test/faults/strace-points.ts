import * as path from 'node:path';
import type { Call } from './strace.ts';

/** One call of a command that changes its store: where a fault can strike. */
export interface Point {
  syscall: string;
  /** strace's `when=`: the call's number among its thread's calls of that name. */
  ordinal: number;
  /** The call in words that are the same in every run, such as `rename disk1/tmp/V disk1/buckets/b/k.meta.json`. */
  label: string;
}

/**
 * strace counts calls per thread and can't be told which thread to strike. Node's main thread opens files too, when it
 * loads modules; this makes the pool's thread open so many before the script begins that its later numbers are its own.
 */
export const BALLAST = [
  '--import',
  'data:text/javascript,import fs from "node:fs/promises";' +
    'await Promise.all(Array.from({length:400},async()=>(await fs.open("/dev/null")).close()))',
];

const VERSION = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const WRITING = /\bO_(CREAT|WRONLY|RDWR)\b/;
const PATHS = /"(\/[^"]*)"|<(\/[^>]*)>/g;

/**
 * The calls of these names that change something in `folder`, in their order.
 * @param threads `one`: all such calls are to be made by one thread; `several`: threads of disks make some, and what can't be
 *   struck, because another thread makes as many such calls before, is left out
 */
export function findPoints(
  calls: readonly Call[],
  folder: string,
  names: readonly string[],
  threads: 'one' | 'several' = 'one',
): Point[] {
  const points: Point[] = [];
  for (const [index, call] of calls.entries()) {
    if (!names.includes(call.name) || !changesState(call, folder)) continue;
    const isRival = (other: Call): boolean =>
      other.name === call.name && other.thread !== call.thread && other.ordinal >= call.ordinal;
    const label = labelOf(call, folder);
    if (threads === 'several' && calls.slice(0, index).some(isRival)) continue;
    if (threads === 'one' && calls.some(isRival))
      throw new Error(`two threads reach ${call.name} number ${call.ordinal}: ${label}`);
    points.push({ syscall: call.name, ordinal: call.ordinal, label });
  }
  return points;
}

/** Whether a call changes what is in `folder`, or makes it durable. */
export function changesState(call: Call, folder: string): boolean {
  if (call.name === 'openat' && !WRITING.test(call.args)) return false;
  return pathsOf(call, folder).length > 0;
}

/** The call in words that are the same in every run: versions, and the disks and fan-out folders that depend on them, have no names. */
export function labelOf(call: Call, folder: string): string {
  const paths = pathsOf(call, folder).map((name) =>
    name
      .replace(VERSION, 'V')
      .replace(/\w+\/chunks\b/, '*/chunks')
      .replace(/\/chunks\/[0-9a-f]{2}(?=\/|$)/, '/chunks/F'),
  );
  return [call.name, ...paths].join(' ');
}

/** The paths in or at `folder` that the call is about, relative to it. */
export function pathsOf(call: Call, folder: string): string[] {
  // The descriptor that a path is relative to says nothing about a path that is absolute.
  const args = call.args.replaceAll(/AT_FDCWD<[^>]*>/g, '');
  const paths = [...args.matchAll(PATHS)].map((match) => match[1] ?? match[2] ?? '');
  return paths
    .filter((name) => name === folder || name.startsWith(`${folder}/`))
    .map((name) => path.relative(folder, name) || '.');
}
