import type { ChalkInstance } from 'chalk';
import type { DiskUsage } from '../../index.ts';

/** A disk as it is shown; what is on it is unknown where too few disks answer. */
export type ShownDisk = Pick<DiskUsage, 'disk' | 'path' | 'state'> & Partial<DiskUsage>;

const MAX_CELLS = 60;

/** ` 100%` and what is around the bar. */
const MARGIN = 10;

/** How full each disk is that can tell: a bar of what this store has on it, what others have, and what is free. */
export function drawDisks(disks: readonly ShownDisk[], columns: number, chalk: ChalkInstance): string[] {
  const nameWidth = Math.max(...disks.map(({ disk }) => disk.length));
  const cells = Math.max(1, Math.min(MAX_CELLS, columns - nameWidth - MARGIN));
  const lines = disks.flatMap(({ disk, total, free, used = 0 }) => {
    if (total === undefined || free === undefined || total === 0) return [];
    const taken = Math.max(0, total - free);
    const full = cellsFor(taken, total, cells);
    const here = Math.min(full, cellsFor(Math.min(used, taken), total, cells));
    const bar = chalk.cyan('█'.repeat(here)) + chalk.dim('▒'.repeat(full - here)) + '·'.repeat(cells - full);
    return [`  ${disk.padEnd(nameWidth)}  ${bar}  ${String(Math.round((taken / total) * 100)).padStart(3)}%`];
  });
  return lines.length === 0 ? [] : [...lines, '  █ this store  ▒ others  · free'];
}

/** Cells for a part of a disk: a part that is there is seen, however small. */
function cellsFor(bytes: number, total: number, cells: number): number {
  return bytes === 0 ? 0 : Math.max(1, Math.min(cells, Math.round((bytes / total) * cells)));
}
