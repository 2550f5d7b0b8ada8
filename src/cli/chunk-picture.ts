import type { ChalkInstance } from 'chalk';
import type { ChunkEntry } from '../index.ts';

const COLOURS = ['cyan', 'yellow', 'magenta', 'green', 'blue', 'red'] as const;

/** Cells of a disk that has some, but not all, chunks of a group, from few to many. */
const SHADES = ['░', '▒', '▓', '█'];

/**
 * A grid of an object's chunks: a row a disk, a column a chunk, in order. Where the columns don't suffice, a column
 * stands for a group of chunks, and its shade for the disk's share of it.
 */
export function drawChunks(chunks: readonly ChunkEntry[], disks: readonly string[], columns: number, chalk: ChalkInstance): string[] {
  if (chunks.length === 0) return [];
  const names = [...new Set([...disks, ...chunks.map((chunk) => chunk.disk)])];
  const nameWidth = Math.max(...names.map((name) => name.length));
  const cells = Math.max(1, Math.min(chunks.length, columns - nameWidth - 12));
  const perCell = Math.ceil(chunks.length / cells);
  const used = Math.ceil(chunks.length / perCell);
  const lines = names.map((name, index) => {
    let row = '';
    let count = 0;
    for (let cell = 0; cell < used; cell++) {
      const group = chunks.slice(cell * perCell, (cell + 1) * perCell);
      const here = group.filter((chunk) => chunk.disk === name).length;
      count += here;
      row += here === 0 ? '·' : (SHADES[Math.ceil((here / group.length) * SHADES.length) - 1] ?? '');
    }
    const colour = COLOURS[index % COLOURS.length] ?? 'white';
    return `  ${name.padEnd(nameWidth)}  ${chalk[colour](row)}  ${String(count)}`;
  });
  if (perCell > 1) lines.push(`  each column is ${String(perCell)} chunks`);
  return lines;
}
