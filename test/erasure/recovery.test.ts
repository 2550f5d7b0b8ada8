import { describe, expect, it } from 'vitest';
import { combine } from '../../src/erasure/combine.ts';
import { recoveryMatrix } from '../../src/erasure/matrix.ts';
import { MAX_SHARDS } from '../../src/erasure/shape.ts';
import { alignedBuffers, BLOCK_SIZE } from '../../src/memory/aligned.ts';
import { fc } from '../metadata/property.ts';
import { seededBytes } from '../support/bytes.ts';

/** Long enough for the kernel's wide steps and for its single bytes. */
const LENGTH = 64 + 3;

const numbers = (count: number, first = 0): number[] => Array.from({ length: count }, (_, index) => first + index);

/** Room for the shards of two stripes in one memory. */
const room = alignedBuffers(2 * MAX_SHARDS, BLOCK_SIZE);

/** The shards of a stripe: data of the given lengths, and parity as long as the longest. */
function stripe(lengths: readonly number[], parityCount: number, seed: string | number): Uint8Array[] {
  const dataCount = lengths.length;
  const data = lengths.map((length, shard) => {
    const bytes = (room[shard] ?? Buffer.alloc(0)).subarray(0, length);
    bytes.set(seededBytes(length, `${seed} ${shard}`));
    return bytes;
  });
  const parity = room.slice(dataCount, dataCount + parityCount).map((bytes) => bytes.subarray(0, Math.max(...lengths)));
  combine(recoveryMatrix(dataCount, numbers(dataCount), numbers(parityCount, dataCount)), data, parity);
  return [...data, ...parity];
}

/** Makes all shards again from those that survive, and checks each. */
function recoverAll(shards: readonly Uint8Array[], dataCount: number, survivors: readonly number[]): void {
  const all = [...shards.keys()];
  const recovered = shards.map((shard, index) =>
    (room[MAX_SHARDS + index] ?? Buffer.alloc(0)).subarray(0, shard.length).fill(0xa5),
  );
  combine(
    recoveryMatrix(dataCount, survivors, all),
    survivors.map((shard) => shards[shard] ?? new Uint8Array()),
    recovered,
  );
  const wrong = all.filter(
    (shard) => Buffer.compare(recovered[shard] ?? Buffer.alloc(0), shards[shard] ?? Buffer.alloc(0)) !== 0,
  );
  if (wrong.length > 0)
    expect.fail(`${dataCount} data shards, from ${survivors.join(', ')}: ${wrong.join(', ')} are wrong`);
}

/** All ways to choose `count` of the numbers below `total`. */
function* choices(total: number, count: number, first = 0): Iterable<number[]> {
  if (count === 0) yield [];
  else {
    for (let chosen = first; chosen <= total - count; chosen++) {
      for (const rest of choices(total, count - 1, chosen + 1)) yield [chosen, ...rest];
    }
  }
}

describe('a stripe', () => {
  it.each(numbers(10, 1))(
    'of %i shards comes back from every choice of enough survivors, however many are data',
    (total) => {
      let patterns = 0;
      for (let dataCount = 1; dataCount <= total; dataCount++) {
        const shards = stripe(numbers(dataCount).fill(LENGTH), total - dataCount, `${dataCount} of ${total}`);
        for (const survivors of choices(total, dataCount)) {
          recoverAll(shards, dataCount, survivors);
          patterns++;
        }
      }
      expect(patterns).toBe(2 ** total - 1);
    },
  );

  it('of up to 32 shards comes back from any survivors, in any order', () => {
    const stripes = fc.integer({ min: 11, max: MAX_SHARDS }).chain((total) =>
      fc.record({
        dataCount: fc.integer({ min: 1, max: total - 1 }),
        order: fc.shuffledSubarray(numbers(total), { minLength: total }),
        seed: fc.nat(),
      }),
    );
    fc.assert(
      fc.property(stripes, ({ dataCount, order, seed }) => {
        const shards = stripe(numbers(dataCount).fill(LENGTH), order.length - dataCount, seed);
        recoverAll(shards, dataCount, order.slice(0, dataCount));
      }),
      { numRuns: 500 },
    );
  });

  it('of 32 shards comes back whatever 16 neighbours are lost', () => {
    const shards = stripe(numbers(16).fill(LENGTH), 16, 'neighbours');
    for (let first = 0; first < 32; first++) {
      recoverAll(
        shards,
        16,
        numbers(16, first).map((shard) => shard % 32),
      );
    }
  });

  it('whose last data shards are short comes back from every choice of survivors', () => {
    for (const lengths of [[LENGTH, 1], [LENGTH, LENGTH, 65], [200, 200, 200, 0], [BLOCK_SIZE, 64, 63, 0], [1], [0]]) {
      const shards = stripe(lengths, 3, lengths.join());
      for (const survivors of choices(lengths.length + 3, lengths.length))
        recoverAll(shards, lengths.length, survivors);
    }
  });

  it('with fewer data shards has the parity of one that is filled up with zeros', () => {
    const few = stripe([LENGTH, LENGTH, 10], 3, 'fewer')
      .slice(3)
      .map((shard) => Buffer.from(shard));
    const filled = stripe([LENGTH, LENGTH, 10, 0, 0], 3, 'fewer')
      .slice(5)
      .map((shard) => Buffer.from(shard));
    expect(few).toEqual(filled);
  });
});
