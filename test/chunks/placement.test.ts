import { describe, expect, it } from 'vitest';
import { placeShard, startOf } from '../../src/chunks/placement.ts';
import { mintVersion } from '../../src/metadata/version.ts';
import { fc } from '../metadata/property.ts';

describe('placement', () => {
  it('deals the chunks of a version round-robin over the disks, whatever the start', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 32 - 1 }), fc.integer({ min: 1, max: 20 }), (start, disks) => {
        const places = Array.from({ length: disks * 3 }, (_, stripe) => placeShard(start, stripe, 0, disks));
        expect(new Set(places.slice(0, disks)).size).toBe(disks);
        expect(places[0]).toBe(start % disks);
        places.forEach((place, index) => {
          expect(place).toBe(index === 0 ? start % disks : ((places[index - 1] ?? 0) + 1) % disks);
        });
      }),
      { numRuns: 200 },
    );
  });

  it('puts the shards of one stripe on different disks where there are enough of them', () => {
    for (let disks = 1; disks <= 6; disks++) {
      for (let stripe = 0; stripe < 12; stripe++) {
        const places = Array.from({ length: disks }, (_, shard) => placeShard(7, stripe, shard, disks));
        expect([...places].sort()).toEqual(Array.from({ length: disks }, (_, disk) => disk));
      }
    }
  });

  it('begins with a disk that the version says, always the same for the same version', () => {
    expect(startOf('01990000-0000-7000-8000-000000000000')).toBe(0);
    expect(startOf('01990000-0000-7000-8000-0000ffffffff')).toBe(2 ** 32 - 1);
    expect(startOf('01990000-0000-7000-8000-123400000005')).toBe(5);
    const version = mintVersion();
    expect(startOf(version)).toBe(startOf(version));
  });

  it('spreads objects of one chunk over the disks, those that are uploaded right after one another too', () => {
    for (const disks of [2, 3, 5, 7]) {
      const counts = new Array<number>(disks).fill(0);
      for (let object = 0; object < 1000 * disks; object++) {
        const place = placeShard(startOf(mintVersion()), 0, 0, disks);
        counts[place] = (counts[place] ?? 0) + 1;
      }
      // A thousand for each disk, give or take eight standard deviations.
      for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(8 * Math.sqrt(1000));
    }
  });
});
