import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { combine } from '../../src/erasure/combine.ts';
import { coefficient, recoveryMatrix } from '../../src/erasure/matrix.ts';
import { MAX_SHARDS } from '../../src/erasure/shape.ts';
import { slowProduct } from './slow-field.ts';

/** Every place of the matrix that some stripe uses. */
const PLACES = Array.from({ length: MAX_SHARDS - 1 }, (_, row) =>
  Array.from({ length: MAX_SHARDS - 1 - row }, (_, column) => ({ row, column })),
).flat();

/** The parity rows of a stripe. */
function encoding(dataCount: number, parityCount: number): Uint8Array[] {
  return Array.from({ length: parityCount }, (_, row) =>
    Uint8Array.from({ length: dataCount }, (_, column) => coefficient(row, column)),
  );
}

// These values are the format on disk: they were computed by another program, and must never change.
describe('the matrix of the format', () => {
  it('has these coefficients', () => {
    expect(encoding(10, 4).map((row) => [...row])).toEqual([
      [1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
      [1, 231, 253, 2, 183, 171, 232, 94, 144, 189],
      [1, 253, 190, 44, 150, 39, 132, 157, 209, 136],
      [1, 2, 44, 88, 206, 201, 43, 46, 108, 174],
    ]);
    expect([
      coefficient(15, 15),
      coefficient(7, 20),
      coefficient(20, 10),
      coefficient(1, 29),
      coefficient(29, 1),
    ]).toEqual([161, 80, 112, 127, 127]);
  });

  it('gives these parity shards', () => {
    const data = ['The quick brown ', 'fox jumps over t', 'he lazy dog. 012', '3456789 Sphinx o'].map((text) =>
      Buffer.from(text),
    );
    const parity = Array.from({ length: 4 }, () => Buffer.alloc(16));
    combine(encoding(4, 4), data, parity);
    expect(parity.map((shard) => shard.toString('hex'))).toEqual([
      '6956085a4d4244132f1f0243444d5f09',
      '4863aaf2f311a8ed55643689f7f1df07',
      '1b4003b4c10c33d81c4cd359cb4c9e70',
      '0d577f601cbabaa5995ae80c37dfdea0',
    ]);
  });

  it('gives parity shards with this checksum for longer data', () => {
    const data = Array.from({ length: 4 }, (_, shard) =>
      Uint8Array.from({ length: 1000 }, (_, i) => i * i + 31 * shard + 7 * i),
    );
    const parity = Array.from({ length: 4 }, () => Buffer.alloc(1000));
    combine(encoding(4, 4), data, parity);
    expect(createHash('sha256').update(Buffer.concat(parity)).digest('hex')).toBe(
      'd24f1eba3b27f5d6b17a01aee5e4d09197f8723b5b09faf244fa59d8e0d6edb0',
    );
  });

  it('follows its formula everywhere', () => {
    const wrong = PLACES.filter(({ row, column }) => {
      const y = 255 - column;
      return slowProduct(coefficient(row, column), slowProduct(row ^ y, 255)) !== slowProduct(y, row ^ 255);
    });
    expect(wrong).toEqual([]);
  });

  it('has only ones in its first row and its first column, and no zeros', () => {
    for (const { row, column } of PLACES) {
      if (row === 0 || column === 0) expect(coefficient(row, column)).toBe(1);
      expect(coefficient(row, column)).not.toBe(0);
    }
  });

  it.each([
    [-1, 0],
    [0, -1],
    [0.5, 0],
    [0, NaN],
    [31, 0],
    [0, 31],
    [15, 16],
    [256, 0],
  ])('has no coefficient at row %d and column %d', (row, column) => {
    expect(() => coefficient(row, column)).toThrow(RangeError);
  });
});

describe('the recovery matrix', () => {
  it('is the encoding matrix if the sources are the data', () => {
    expect(recoveryMatrix(5, [0, 1, 2, 3, 4], [5, 6, 7])).toEqual(encoding(5, 3));
  });

  it('copies a wanted shard that is a source', () => {
    expect(recoveryMatrix(3, [4, 2, 0], [2, 4])).toEqual([Uint8Array.of(0, 1, 0), Uint8Array.of(1, 0, 0)]);
  });

  it('needs only XOR to bring back one data shard from the others and the first parity', () => {
    expect(recoveryMatrix(4, [0, 1, 3, 4], [2])).toEqual([Uint8Array.of(1, 1, 1, 1)]);
  });

  it('copies from any parity shard where there is one data shard', () => {
    expect(recoveryMatrix(1, [7], [0, 1, 31])).toEqual([Uint8Array.of(1), Uint8Array.of(1), Uint8Array.of(1)]);
  });

  it.each([
    ['no data', 0, [], []],
    ['too much data', 32, Array.from({ length: 32 }, (_, shard) => shard), [0]],
    ['half a shard of data', 1.5, [0], [0]],
    ['too few sources', 3, [0, 1], [2]],
    ['too many sources', 2, [0, 1, 2], [3]],
    ['a source twice', 2, [0, 0], [1]],
    ['a source that is not a number of a shard', 2, [0, -1], [1]],
    ['a source beyond the largest stripe', 2, [0, 32], [1]],
    ['a wanted shard beyond the largest stripe', 2, [0, 1], [32]],
    ['a wanted half shard', 2, [0, 1], [0.5]],
  ])('is refused for %s', (_, dataCount, sources, wanted) => {
    expect(() => recoveryMatrix(dataCount, sources, wanted)).toThrow(RangeError);
  });

  it('says what is wrong if a source comes twice', () => {
    expect(() => recoveryMatrix(2, [3, 3], [1])).toThrow('the sources must be different shards');
  });
});
