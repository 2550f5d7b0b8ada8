import { expect } from 'vitest';
import { pathsOf, type Point } from './strace-points.ts';
import type { Call } from './strace.ts';

/** Calls that may fail for want of room. */
export const NEEDS_ROOM = new Set(['openat', 'pwrite64', 'mkdir', 'rename', 'symlink']);

/** The first, the middle and the last call of each kind; not opens, because files are opened for reading too. */
export function sample(points: readonly Point[]): Point[] {
  const kinds = new Map<string, Point[]>();
  for (const point of points) kinds.set(point.syscall, [...(kinds.get(point.syscall) ?? []), point]);
  kinds.delete('openat');
  return [...kinds.values()].flatMap((all) =>
    [...new Set([all[0], all[all.length >> 1], all.at(-1)])].filter((point) => point !== undefined),
  );
}

/** A file whose sync failed is discarded before anything is synced under its name again. */
export function checkNoSecondSync(calls: readonly Call[], folder: string): void {
  const failed = calls.findIndex((call) => call.name === 'fsync' && call.result?.endsWith('(INJECTED)') === true);
  const call = calls[failed];
  const [file = ''] = call === undefined ? [] : pathsOf(call, folder);
  if (!/\.(chunk|json|plan)$|\/tmp\/[^/]+$/.test(file)) return;
  const next = calls.slice(failed + 1).find((later) => pathsOf(later, folder).includes(file));
  expect(next?.name, `what happens to ${file} after its sync failed`).toBe('unlink');
}
