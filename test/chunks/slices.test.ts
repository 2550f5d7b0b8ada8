import { describe, expect, it } from 'vitest';
import { sliceStripes } from '../../src/chunks/slices.ts';
import type { ChunkEntry, ParityEntry } from '../../src/metadata/meta.ts';
import { parityFile } from '../../src/metadata/shard-file.ts';
import { stripesOf } from '../../src/metadata/stripes.ts';
import { fc } from '../metadata/property.ts';
import { entryOf, VERSION } from '../metadata/sample-meta.ts';
import { seededBytes } from '../support/bytes.ts';

describe('the slices of a range', () => {
  it('are together exactly the bytes wanted, for chunks of any sizes in stripes of any width', () => {
    const sizes = fc.array(fc.nat({ max: 20 }), { maxLength: 8 });
    fc.assert(
      fc.property(
        sizes,
        fc.integer({ min: 0, max: 4 }),
        fc.nat({ max: 170 }),
        fc.nat({ max: 170 }),
        (lengths, width, a, b) => {
          const whole = seededBytes(
            lengths.reduce((sum, length) => sum + length, 0),
            'whole',
          );
          const pieces: Buffer[] = [];
          const chunks: ChunkEntry[] = lengths.map((size, order) => {
            const start = lengths.slice(0, order).reduce((sum, length) => sum + length, 0);
            pieces.push(whole.subarray(start, start + size));
            return entryOf(order, pieces[order] ?? Buffer.alloc(0));
          });
          const parity: ParityEntry[] = [];
          for (let first = 0; width > 0 && first < chunks.length; first += width) {
            const protects = chunks.slice(first, first + width).map(({ order }) => order);
            parity.push({
              protects,
              row: 0,
              disk: 'disk9',
              file: parityFile(VERSION, first, 0),
              size: Math.max(...protects.map((order) => lengths[order] ?? 0)),
              sha256: '',
            });
          }
          const stripes = stripesOf({ chunks, parity });
          const [from = 0, to = 0] = [a, b].map((end) => Math.min(end, whole.length)).sort((x, y) => x - y);
          const wanted = Buffer.alloc(to - from, 0xaa);
          let covered = 0;
          for (const { stripe, slices } of sliceStripes(stripes, from, to)) {
            expect(slices).not.toEqual([]);
            for (const slice of slices) {
              expect(stripe.chunks).toContain(slice.chunk);
              expect(slice.target).toBe(covered);
              covered += pieces[slice.chunk.order]?.copy(wanted, slice.target, slice.from, slice.to) ?? 0;
            }
          }
          expect(covered).toBe(to - from);
          expect(wanted.equals(whole.subarray(from, to))).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('are of the chunks that a range touches alone', () => {
    const chunks = [0, 1, 2, 3].map((order) => entryOf(order, Buffer.alloc(10)));
    const parity = [
      [0, 1],
      [2, 3],
    ].map((protects): ParityEntry => ({
      protects,
      row: 0,
      disk: 'disk9',
      file: parityFile(VERSION, protects[0] ?? 0, 0),
      size: 10,
      sha256: '',
    }));
    const stripes = stripesOf({ chunks, parity });
    const touched = (from: number, to: number): number[][] =>
      sliceStripes(stripes, from, to).map(({ slices }) => slices.map(({ chunk }) => chunk.order));
    expect(touched(0, 40)).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expect(touched(10, 20)).toEqual([[1]]);
    expect(touched(19, 21)).toEqual([[1], [2]]);
  });
});
