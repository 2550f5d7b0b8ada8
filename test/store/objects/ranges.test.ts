import * as fs from 'node:fs';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ByteRange } from '../../../src/index.ts';
import { chunkPath, failure, MIB, newStore, property, read } from '../../support/store.ts';
import { seededBytes } from '../../support/bytes.ts';

const SIZE = 3 * MIB + 77;

/** Offsets, most of them near the chunks' edges. */
const offset = fc.oneof(
  fc.nat(SIZE - 1),
  fc
    .tuple(fc.nat(3), fc.integer({ min: -2, max: 2 }))
    .map(([chunk, by]) => Math.max(0, Math.min(SIZE - 1, chunk * MIB + by))),
  fc.constantFrom(0, SIZE - 1),
);

test('any range gives exactly the bytes of Buffer.subarray', async () => {
  const store = await newStore();
  const bytes = seededBytes(SIZE, 'ranges');
  await store.put('bucket', 'key', bytes);
  await fc.assert(
    fc.asyncProperty(offset, offset, fc.nat(2 * MIB), async (a, b, beyond) => {
      const [from, to] = a < b ? [a, b] : [b, a];
      const cases: [ByteRange, Buffer][] = [
        [{ from, to }, bytes.subarray(from, to + 1)],
        [{ from, to: SIZE + beyond }, bytes.subarray(from)],
        [{ from }, bytes.subarray(from)],
        [{ to: b + 1 }, bytes.subarray(-(b + 1))],
      ];
      for (const [range, expected] of cases) {
        if (!expected.equals(await read(store, 'key', { range })))
          throw new Error(`wrong bytes for ${JSON.stringify(range)}`);
      }
    }),
    property(40),
  );
});

test('a suffix longer than the object is the whole object', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', Buffer.from('abc'));
  expect((await read(store, 'key', { range: { to: 1000 } })).toString()).toBe('abc');
});

test.each<[string, ByteRange]>([
  ['begins at the end', { from: 3 }],
  ['begins behind the end', { from: 100, to: 200 }],
  ['ends before it begins', { from: 2, to: 1 }],
  ['is a suffix of no bytes', { to: 0 }],
  ['has no ends', {}],
  ['begins below 0', { from: -1 }],
  ['ends below 0', { from: 0, to: -1 }],
  ['is a suffix below 0', { to: -5 }],
  ['begins at a fraction', { from: 0.5 }],
  ['ends at no number', { from: 0, to: NaN }],
  ['ends at infinity', { from: 0, to: Infinity }],
  ['is beyond the safe integers', { from: 2 ** 53 }],
])('a range that %s is BAD_RANGE', async (_, range) => {
  const store = await newStore();
  await store.put('bucket', 'key', Buffer.from('abc'));
  expect(await failure(store.get('bucket', 'key', { range }))).toMatchObject({ code: 'BAD_RANGE', found: 3 });
});

test('an object of 0 bytes has no byte to begin at', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', Buffer.alloc(0));
  expect((await failure(store.get('bucket', 'key', { range: { from: 0 } }))).code).toBe('BAD_RANGE');
  expect((await failure(store.get('bucket', 'key', { range: { from: 0, to: 0 } }))).code).toBe('BAD_RANGE');
});

test('a range reads only the chunks that it touches: damage elsewhere does not matter', async () => {
  const store = await newStore();
  const bytes = seededBytes(SIZE, 'elsewhere');
  const { meta } = await store.put('bucket', 'key', bytes);
  fs.rmSync(chunkPath(store, meta, 0));
  fs.writeFileSync(chunkPath(store, meta, 2), 'damaged');
  const read1 = await read(store, 'key', { range: { from: MIB, to: 2 * MIB - 1 } });
  expect(bytes.subarray(MIB, 2 * MIB).equals(read1)).toBe(true);
  const counted: number[] = [];
  await read(store, 'key', { range: { from: MIB + 5, to: MIB + 6 }, onBytes: (count) => counted.push(count) });
  expect(counted).toEqual([2]);
});
