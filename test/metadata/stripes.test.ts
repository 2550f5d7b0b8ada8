import { describe, expect, it } from 'vitest';
import { MAX_SHARDS } from '../../src/erasure/shape.ts';
import { metaSchema, type ChunkEntry, type ParityEntry } from '../../src/metadata/meta.ts';
import { chunkFile, parityFile } from '../../src/metadata/shard-file.ts';
import { formatDocument, parseDocument } from '../../src/metadata/document.ts';
import { isParity, nameShard, shardNumber, shardsOf, stripesOf } from '../../src/metadata/stripes.ts';
import { fc } from './property.ts';
import { objectMeta, VERSION } from './sample-meta.ts';

const SHA256 = 'a'.repeat(64);

/** Chunks and parity of an object of stripes with the given sizes of chunks and rows of parity. */
function entriesOf(stripes: readonly { sizes: readonly number[]; rows: readonly number[] }[]): {
  chunks: ChunkEntry[];
  parity: ParityEntry[];
} {
  const chunks: ChunkEntry[] = [];
  const parity: ParityEntry[] = [];
  for (const { sizes, rows } of stripes) {
    const first = chunks.length;
    for (const size of sizes)
      chunks.push({
        order: chunks.length,
        disk: 'disk1',
        file: chunkFile(VERSION, chunks.length),
        size,
        sha256: SHA256,
      });
    const protects = sizes.map((_, index) => first + index);
    for (const row of rows)
      parity.push({
        protects,
        row,
        disk: 'disk2',
        file: parityFile(VERSION, first, row),
        size: Math.max(...sizes),
        sha256: SHA256,
      });
  }
  return { chunks, parity };
}

const size = fc.integer({ min: 1, max: 5000 });
const protectedStripe = fc.integer({ min: 1, max: MAX_SHARDS - 1 }).chain((count) =>
  fc.record({
    sizes: fc.array(size, { minLength: count, maxLength: count }),
    rows: fc.subarray(
      Array.from({ length: MAX_SHARDS - count }, (_, row) => row),
      { minLength: 1 },
    ),
  }),
);
/** Stripes of any lengths, some of a single chunk without parity, as no writer mixes them but a meta may. */
const anyStripes = fc.array(
  fc.oneof(
    protectedStripe,
    size.map((only) => ({ sizes: [only], rows: [] })),
  ),
  { maxLength: 8 },
);

describe('the stripes of an object', () => {
  it('are those that its chunks and parity say, in order, each with its offset, whatever their lengths', () => {
    fc.assert(
      fc.property(anyStripes, (given) => {
        const { chunks, parity } = entriesOf(given);
        const stripes = stripesOf({ chunks, parity });
        let offset = 0;
        expect(stripes).toHaveLength(given.length);
        given.forEach(({ sizes, rows }, index) => {
          expect(stripes[index]).toMatchObject({ index, offset });
          expect(stripes[index]?.chunks.map((chunk) => chunk.size)).toEqual(sizes);
          expect(stripes[index]?.parity.map(({ row }) => row)).toEqual(rows);
          offset += sizes.reduce((sum, bytes) => sum + bytes, 0);
        });
        expect(stripes.flatMap((stripe) => stripe.chunks)).toEqual(chunks);
      }),
      { numRuns: 300 },
    );
  });

  it('hold every chunk once and every parity once, in whatever order a meta has the parity', () => {
    fc.assert(
      fc.property(anyStripes, fc.array(fc.nat(), { minLength: 1, maxLength: 50 }), (given, keys) => {
        const { chunks, parity } = entriesOf(given);
        const keyed = parity.map((entry, index) => ({ entry, key: keys[index % keys.length] ?? 0 }));
        const shuffled = keyed.sort((a, b) => a.key - b.key).map(({ entry }) => entry);
        const stripes = stripesOf({ chunks, parity: shuffled });
        expect(stripes.flatMap((stripe) => stripe.chunks)).toEqual(chunks);
        expect(new Set(stripes.flatMap((stripe) => stripe.parity))).toEqual(new Set(parity));
        expect(stripes.flatMap((stripe) => stripe.parity)).toHaveLength(parity.length);
        for (const stripe of stripes)
          for (const { protects } of stripe.parity) expect(protects).toEqual(stripe.chunks.map(({ order }) => order));
      }),
      { numRuns: 300 },
    );
  });

  it('have their parity by row, in whatever order a meta has it', () => {
    const { chunks, parity } = entriesOf([{ sizes: [5, 5], rows: [0, 1, 2] }]);
    expect(stripesOf({ chunks, parity: parity.reverse() })[0]?.parity.map(({ row }) => row)).toEqual([0, 1, 2]);
  });

  it('have different numbers for different shards: the chunks count from 0, and parity goes on by its row', () => {
    fc.assert(
      fc.property(anyStripes, (given) => {
        for (const stripe of stripesOf(entriesOf(given))) {
          const numbers = shardsOf(stripe).map((shard) => shardNumber(stripe, shard));
          expect(numbers.slice(0, stripe.chunks.length)).toEqual(stripe.chunks.map((_, index) => index));
          expect(numbers.slice(stripe.chunks.length)).toEqual(
            stripe.parity.map(({ row }) => stripe.chunks.length + row),
          );
          expect(new Set(numbers).size).toBe(numbers.length);
          // Back again: the number says which shard it is.
          for (const shard of shardsOf(stripe)) {
            const number = shardNumber(stripe, shard);
            const found =
              number < stripe.chunks.length
                ? stripe.chunks[number]
                : stripe.parity.find(({ row }) => row === number - stripe.chunks.length);
            expect(found).toBe(shard);
            expect(isParity(shard)).toBe(number >= stripe.chunks.length);
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it('are in a meta that is read back as it was written', () => {
    fc.assert(
      fc.property(anyStripes, (given) => {
        const { chunks, parity } = entriesOf(given);
        const meta = objectMeta({
          size: chunks.reduce((sum, chunk) => sum + chunk.size, 0),
          redundancy: '4+2',
          chunks,
          parity,
        });
        expect(parseDocument(Buffer.from(formatDocument(meta)), metaSchema, {})).toEqual(meta);
      }),
      { numRuns: 200 },
    );
  });

  it('are none in an empty object', () => {
    expect(stripesOf({ chunks: [], parity: [] })).toEqual([]);
  });
});

describe('a shard in words', () => {
  it('is a chunk by its number, and parity by its row and the chunks that it protects', () => {
    const { chunks, parity } = entriesOf([
      { sizes: [5, 5], rows: [0, 1] },
      { sizes: [5], rows: [0] },
    ]);
    expect([...chunks, ...parity].map(nameShard)).toEqual([
      'chunk 0',
      'chunk 1',
      'chunk 2',
      'parity 0 of chunks 0-1',
      'parity 1 of chunks 0-1',
      'parity 0 of chunk 2',
    ]);
  });
});
