import type { ChalkInstance } from 'chalk';
import { stripesOf, type ObjectMeta } from '../../index.ts';
import { plural } from './format.ts';

const COLOURS = ['cyan', 'yellow', 'magenta', 'green', 'blue', 'red'] as const;

/** Cells of a disk that has some, but not all, chunks of a group, from few to many. */
const SHADES = ['░', '▒', '▓', '█'];

const PARITY = '◇';

/**
 * A grid of an object's chunks: a row a disk, a column a chunk, in order, and after the chunks of a stripe its parity.
 * Where the columns don't suffice, a column stands for a group of them, and its shade for the disk's share of it.
 */
export function drawChunks(
  meta: Pick<ObjectMeta, 'chunks' | 'parity'>,
  disks: readonly string[],
  columns: number,
  chalk: ChalkInstance,
): string[] {
  const shards = stripesOf(meta).flatMap((stripe) => [
    ...stripe.chunks.map(({ disk }) => ({ disk, isParity: false })),
    ...stripe.parity.map(({ disk }) => ({ disk, isParity: true })),
  ]);
  if (shards.length === 0) return [];
  const hasParity = meta.parity.length > 0;
  const names = [...new Set([...disks, ...shards.map(({ disk }) => disk)])];
  const nameWidth = Math.max(...names.map((name) => name.length));
  const room = columns - nameWidth - (hasParity ? 12 + `  + ${meta.parity.length} parity`.length : 12);
  const cells = Math.max(1, Math.min(shards.length, room));
  const perCell = Math.ceil(shards.length / cells);
  const used = Math.ceil(shards.length / perCell);
  const lines = names.map((name, index) => {
    let row = '';
    for (let cell = 0; cell < used; cell++) {
      const group = shards.slice(cell * perCell, (cell + 1) * perCell);
      const here = group.filter(({ disk }) => disk === name);
      if (here.length === 0) row += '·';
      else if (perCell === 1 && here[0]?.isParity === true) row += PARITY;
      else row += SHADES[Math.ceil((here.length / group.length) * SHADES.length) - 1] ?? '';
    }
    const all = shards.filter(({ disk }) => disk === name);
    const parity = all.filter(({ isParity }) => isParity).length;
    const count = hasParity ? `${all.length - parity} + ${parity} parity` : String(all.length);
    const colour = COLOURS[index % COLOURS.length] ?? 'white';
    return `  ${name.padEnd(nameWidth)}  ${chalk[colour](row)}  ${count}`;
  });
  if (perCell > 1) lines.push(`  each column is ${plural(perCell, 'chunk')}${hasParity ? ', parity included' : ''}`);
  else if (hasParity) lines.push(`  █ chunk  ${PARITY} parity of the chunks before it`);
  return lines;
}
