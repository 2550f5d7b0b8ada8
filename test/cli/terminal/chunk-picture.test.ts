import { Chalk } from 'chalk';
import { describe, expect, test } from 'vitest';
import { drawChunks } from '../../../src/cli/terminal/chunk-picture.ts';
import type { ChunkEntry, ParityEntry } from '../../../src/index.ts';

const plain = new Chalk({ level: 0 });

/** An object without parity whose chunks are on these disks. */
function chunksOn(disks: readonly string[]): { chunks: ChunkEntry[]; parity: ParityEntry[] } {
  return {
    chunks: disks.map((disk, order) => ({ order, disk, file: `${order}.chunk`, size: 1, sha256: '' })),
    parity: [],
  };
}

/** One of stripes of two chunks and a parity chunk; each stripe names its three disks. */
function stripesOn(stripes: readonly (readonly [string, string, string])[]): {
  chunks: ChunkEntry[];
  parity: ParityEntry[];
} {
  const { chunks } = chunksOn(stripes.flatMap(([a, b]) => [a, b]));
  const parity = stripes.map(([, , disk], index) => ({
    protects: [2 * index, 2 * index + 1],
    row: 0,
    disk,
    file: '',
    size: 1,
    sha256: '',
  }));
  return { chunks, parity };
}

describe('the picture of an object', () => {
  test('of no chunks is nothing', () => {
    expect(drawChunks(chunksOn([]), ['disk1'], 80, plain)).toEqual([]);
  });

  test('has a row a disk, a column a chunk, and the count at the end', () => {
    expect(drawChunks(chunksOn(['disk1', 'disk2', 'disk1']), ['disk1', 'disk2', 'disk3'], 80, plain)).toEqual([
      '  disk1  █·█  2',
      '  disk2  ·█·  1',
      '  disk3  ···  0',
    ]);
  });

  test('shows a disk that the store no longer has', () => {
    expect(drawChunks(chunksOn(['gone']), ['a'], 80, plain)).toEqual(['  a     ·  0', '  gone  █  1']);
  });

  test('of more chunks than columns stays within the width, groups them, and loses none', () => {
    const disks = Array.from({ length: 1000 }, (_, index) => `disk${(index % 3) + 1}`);
    const lines = drawChunks(chunksOn(disks), ['disk1', 'disk2', 'disk3'], 60, plain);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(60);
    expect(lines.map((line) => Number(/(\d+)$/.exec(line)?.[1]))).toEqual([334, 333, 333, NaN]);
    expect(lines.at(-1)).toMatch(/^ {2}each column is \d+ chunks$/);
  });

  test('shades a group by the part of it that is on the disk', () => {
    const [first] = drawChunks(
      chunksOn(['a', 'a', 'a', 'a', 'a', 'b', 'b', 'b', 'b', 'b', 'b', 'b']),
      ['a', 'b'],
      16,
      plain,
    );
    expect(first).toBe('  a  █░·  5');
  });

  test('is drawn however narrow the terminal is', () => {
    expect(drawChunks(chunksOn(['a', 'b']), ['a', 'b'], 1, plain)).toEqual([
      '  a  ▒  1',
      '  b  ▒  1',
      '  each column is 2 chunks',
    ]);
  });

  test('shows the parity of a stripe after its chunks, and what it means', () => {
    expect(
      drawChunks(
        stripesOn([
          ['a', 'b', 'c'],
          ['b', 'c', 'a'],
        ]),
        ['a', 'b', 'c'],
        80,
        plain,
      ),
    ).toEqual([
      '  a  █····◇  1 + 1 parity',
      '  b  ·█·█··  2 + 0 parity',
      '  c  ··◇·█·  1 + 1 parity',
      '  █ chunk  ◇ parity of the chunks before it',
    ]);
  });

  test('of many stripes stays within the width too, and loses nothing', () => {
    const lines = drawChunks(
      stripesOn(Array.from({ length: 500 }, () => ['a', 'b', 'c'] as const)),
      ['a', 'b', 'c'],
      60,
      plain,
    );
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(60);
    expect(lines.map((line) => / {2}(\d+ \+ \d+ parity)$/.exec(line)?.[1])).toEqual([
      '500 + 0 parity',
      '500 + 0 parity',
      '0 + 500 parity',
      undefined,
    ]);
    expect(lines.at(-1)).toMatch(/^ {2}each column is \d+ chunks, parity included$/);
  });

  test('gives each disk a colour', () => {
    const lines = drawChunks(chunksOn(['a', 'b']), ['a', 'b'], 80, new Chalk({ level: 1 }));
    const colours = lines.map((line) => line.split('\u001b[')[1]?.slice(0, 3));
    expect(colours[0]).toBeDefined();
    expect(colours[1]).toBeDefined();
    expect(colours[0]).not.toBe(colours[1]);
  });
});
