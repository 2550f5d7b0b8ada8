import { describe, expect, it } from 'vitest';
import { placeStripe, startOf } from '../../src/chunks/placement.ts';
import { mintId } from '../../src/metadata/version.ts';
import { fc } from '../metadata/property.ts';
import { seededBytes } from '../support/bytes.ts';

const start = fc.nat({ max: 2 ** 32 - 1 });
const equal = (disks: number): number[] => new Array<number>(disks).fill(1000);

/** How often each disk takes part, and how often it has the last place, where parity goes. */
function count(disks: number, places: Iterable<readonly number[]>): { parts: number[]; last: number[] } {
  const counted = { parts: new Array<number>(disks).fill(0), last: new Array<number>(disks).fill(0) };
  for (const chosen of places) {
    for (const disk of chosen) counted.parts[disk] = (counted.parts[disk] ?? 0) + 1;
    const last = chosen.at(-1) ?? -1;
    counted.last[last] = (counted.last[last] ?? 0) + 1;
  }
  return counted;
}

describe('placement on disks of equal room', () => {
  it('puts shard j of stripe s on disk (start + s + j) mod n, whatever the start', () => {
    fc.assert(
      fc.property(
        start,
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 32 }),
        fc.nat({ max: 1_000_000 }),
        (first, disks, shards, stripe) => {
          const expected = Array.from(
            { length: Math.min(shards, disks) },
            (_, shard) => (first + stripe + shard) % disks,
          );
          expect(placeStripe(first, stripe, shards, equal(disks))).toEqual(expected);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('deals chunks without parity round-robin over the disks, whatever the start', () => {
    fc.assert(
      fc.property(start, fc.integer({ min: 1, max: 20 }), (first, disks) => {
        const places = Array.from(
          { length: disks * 3 },
          (_, stripe) => placeStripe(first, stripe, 1, equal(disks))[0] ?? -1,
        );
        expect(new Set(places.slice(0, disks)).size).toBe(disks);
        expect(places[0]).toBe(first % disks);
        for (let index = 1; index < places.length; index++)
          expect(places[index]).toBe(((places[index - 1] ?? 0) + 1) % disks);
      }),
      { numRuns: 200 },
    );
  });

  it('takes rooms that differ by less than a fifth of the largest for equal, and others not', () => {
    const round = [0, 1, 2, 0, 1, 2];
    const places = (weights: number[]): number[] =>
      round.map((_, stripe) => placeStripe(0, stripe, 1, weights)[0] ?? -1);
    expect(places([80, 100, 99])).toEqual(round);
    expect(places([1e12, 0.81e12, 0.9e12])).toEqual(round);
    expect(places([79, 100, 100])).not.toEqual(round);
  });

  it('gives every disk the same part of the parity', () => {
    const places = Array.from({ length: 600 }, (_, stripe) => placeStripe(17, stripe, 6, equal(6)));
    expect(count(6, places).last).toEqual(new Array<number>(6).fill(100));
  });
});

describe('placement on disks of different room', () => {
  const weights = fc.array(fc.nat({ max: 1000 }), { minLength: 1, maxLength: 16 });

  it('chooses different disks, as many as are wanted and there are, and always the same for the same stripe', () => {
    fc.assert(
      fc.property(
        start,
        fc.nat({ max: 1_000_000 }),
        fc.integer({ min: 1, max: 32 }),
        weights,
        (first, stripe, shards, rooms) => {
          const chosen = placeStripe(first, stripe, shards, rooms);
          expect(chosen).toHaveLength(Math.min(shards, rooms.length));
          expect(new Set(chosen).size).toBe(chosen.length);
          for (const disk of chosen) expect(rooms[disk]).toBeDefined();
          expect(placeStripe(first, stripe, shards, rooms)).toEqual(chosen);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('leaves out full disks where there are enough others', () => {
    fc.assert(
      fc.property(
        start,
        fc.nat({ max: 1_000_000 }),
        fc.integer({ min: 1, max: 8 }),
        weights,
        (first, stripe, shards, rooms) => {
          if (rooms.filter((room) => room > 0).length < shards) return;
          for (const disk of placeStripe(first, stripe, shards, rooms)) expect(rooms[disk]).toBeGreaterThan(0);
        },
      ),
      { numRuns: 2000 },
    );
  });

  /** What each disk should take part in: in proportion to its room, but in every stripe at most. */
  function sharesByHand(rooms: readonly number[], shards: number): number[] {
    const shares = rooms.map(() => 0);
    const open = new Set(rooms.keys());
    let left = Math.min(shards, rooms.length);
    for (;;) {
      const sum = [...open].reduce((total, index) => total + (rooms[index] ?? 0), 0);
      const capped = [...open].find((index) => ((rooms[index] ?? 0) * left) / sum > 1);
      if (capped === undefined) {
        for (const index of open) shares[index] = ((rooms[index] ?? 0) * left) / sum;
        return shares;
      }
      shares[capped] = 1;
      open.delete(capped);
      left--;
    }
  }

  const tables: [string, number[], number][] = [
    ['one shard on two disks, one twice as large', [100, 200], 1],
    ['one shard on three disks, a new one among full ones', [10, 20, 1000], 1],
    ['two copies on three disks', [100, 200, 300], 2],
    ['two copies, one disk larger than all others together: it takes part in every stripe', [100, 100, 1000], 2],
    ['three shards on five disks', [100, 400, 50, 300, 250], 3],
    ['six shards on eight disks, three of them large', [100, 100, 100, 100, 100, 500, 500, 500], 6],
    ['four shards on four disks of any room: each takes part in every stripe', [1, 10, 100, 1000], 4],
    ['two shards where one disk is full', [0, 100, 300], 2],
    ['rooms in bytes of large disks', [4e12, 16e12, 8e12, 2e12], 2],
  ];
  for (const [name, rooms, shards] of tables) {
    const shares = sharesByHand(rooms, shards);

    it(`gives each disk its share of the stripes of one object: ${name}`, () => {
      for (const first of [0, 5, 2 ** 31 + 12345, 2 ** 32 - 1]) {
        const stripes = 2000;
        const { parts } = count(
          rooms.length,
          Array.from({ length: stripes }, (_, stripe) => placeStripe(first, stripe, shards, rooms)),
        );
        shares.forEach((share, disk) => {
          expect(Math.abs((parts[disk] ?? 0) / stripes - share), `disk ${disk} from ${first}`).toBeLessThan(0.01);
        });
      }
    });

    it(`gives each disk its share of many objects of one stripe: ${name}`, () => {
      fc.assert(
        fc.property(fc.nat(), (seed) => {
          const objects = 20_000;
          const ids = seededBytes(4 * objects, seed);
          const places = Array.from({ length: objects }, (_, object) =>
            placeStripe(ids.readUInt32LE(4 * object), 0, shards, rooms),
          );
          const { parts } = count(rooms.length, places);
          shares.forEach((share, disk) => {
            expect(Math.abs((parts[disk] ?? 0) / objects - share)).toBeLessThan(0.03);
          });
        }),
        { numRuns: 3 },
      );
    });
  }

  it('gives the disks of a stripe each of the roles in turn, so that none has all the parity', () => {
    const rooms = [100, 200, 400, 300];
    for (const shards of [2, 3]) {
      const { parts, last } = count(
        4,
        Array.from({ length: 6000 }, (_, stripe) => placeStripe(7, stripe, shards, rooms)),
      );
      last.forEach((times, disk) => {
        expect(Math.abs(times / (parts[disk] ?? 0) - 1 / shards), `disk ${disk}`).toBeLessThan(0.03);
      });
    }
  });
});

describe('placement where there is little to choose from', () => {
  it.each([
    ['one disk', [5], 1, 1],
    ['one disk for many shards', [5], 6, 1],
    ['one disk that is full', [0], 1, 1],
    ['full disks alone', [0, 0, 0], 2, 2],
    ['more shards than disks, of different room', [1, 1000, 10], 6, 3],
    ['one disk with room among full ones', [0, 0, 1000], 2, 2],
    ['no disk', [], 3, 0],
    ['disks without bounds', [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER], 2, 2],
    ['a disk without bounds among others', [Number.MAX_SAFE_INTEGER, 1000, 1000], 2, 2],
    ['rooms of a few bytes', [1, 2, 3], 2, 2],
  ])('works all the same: %s', (_, rooms, shards, length) => {
    for (let stripe = 0; stripe < 100; stripe++) {
      const chosen = placeStripe(2 ** 32 - 1, stripe, shards, rooms);
      expect(new Set(chosen).size).toBe(length);
      expect(chosen).toHaveLength(length);
    }
  });

  it('takes the disk with room in every stripe where all others are full', () => {
    for (let stripe = 0; stripe < 100; stripe++) expect(placeStripe(3, stripe, 2, [0, 0, 1000])).toContain(2);
  });
});

describe('the start of a version', () => {
  it('is the last 32 bits of its id, always the same for the same version', () => {
    expect(startOf('01990000-0000-7000-8000-000000000000')).toBe(0);
    expect(startOf('01990000-0000-7000-8000-0000ffffffff')).toBe(2 ** 32 - 1);
    expect(startOf('01990000-0000-7000-8000-123400000005')).toBe(5);
    const version = mintId();
    expect(startOf(version)).toBe(startOf(version));
  });

  it('spreads objects of one chunk over the disks, those that are uploaded right after one another too', () => {
    for (const disks of [2, 3, 5, 7]) {
      const { parts } = count(
        disks,
        Array.from({ length: 1000 * disks }, () => placeStripe(startOf(mintId()), 0, 1, equal(disks))),
      );
      // A thousand for each disk, give or take eight standard deviations.
      for (const times of parts) expect(Math.abs(times - 1000)).toBeLessThan(8 * Math.sqrt(1000));
    }
  });
});
