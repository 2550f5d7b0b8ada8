import { afterEach, describe, expect, it, vi } from 'vitest';
import { isVersion, versionAfter, versionTime } from '../../src/metadata/version.ts';
import { fc } from './property.ts';

/** A version that was minted at `time`, in milliseconds since 1970, with all its random bits the same. */
function versionAt(time: number, bits: '0' | 'f'): string {
  const hex = time.toString(16).padStart(12, '0');
  const [a, b] = bits === '0' ? ['000', '8000'] : ['fff', 'bfff'];
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7${a}-${b}-${bits.repeat(12)}`;
}

const LAST = 2 ** 47 - 1;

afterEach(() => {
  vi.useRealTimers();
});

describe('a version', () => {
  it('is a UUIDv7 that carries the time at which it was minted', () => {
    const before = Date.now();
    const version = versionAfter(undefined);
    expect(version).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(versionTime(version)).toBeGreaterThanOrEqual(before);
    expect(versionTime(version)).toBeLessThanOrEqual(Date.now());
    expect(isVersion(version)).toBe(true);
  });

  it('sorts as text after every one that the same process minted before it', () => {
    const versions = Array.from({ length: 5000 }, () => versionAfter(undefined));
    expect([...versions].sort()).toEqual(versions);
    expect(new Set(versions).size).toBe(versions.length);
  });

  it('is later than the one that it comes after, whatever time that one says', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: LAST - 1 }), fc.constantFrom('0' as const, 'f' as const), (time, bits) => {
        const after = versionAt(time, bits);
        const version = versionAfter(after);
        expect(version > after).toBe(true);
        expect(isVersion(version)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('is later than the one that it comes after when the clock has gone back', () => {
    const first = versionAfter(undefined);
    vi.useFakeTimers({ now: 1_000_000 });
    const second = versionAfter(first);
    const third = versionAfter(second);
    expect([first, second, third].sort()).toEqual([first, second, third]);
    expect(isVersion(third)).toBe(true);
  });

  it('can be followed by another valid one even at the last time that is accepted', () => {
    const last = versionAt(LAST, '0');
    expect(isVersion(last)).toBe(true);
    const version = versionAfter(last);
    expect(version > last).toBe(true);
    expect(isVersion(version)).toBe(true);
  });

  it.each([
    ['nothing', ''],
    ['a UUIDv4', '9b2f1c1e-6a4e-4f57-9c0e-3b8e6f0f9b11'],
    ['another variant', '01990000-0000-7000-c000-000000000000'],
    ['capitals', '01990000-0000-7000-8000-00000000000A'],
    ['a line end behind it', '01990000-0000-7000-8000-000000000000\n'],
    ['something in front of it', '../01990000-0000-7000-8000-000000000000'],
    ['no hyphens', '01990000000070008000000000000000'],
    ['a time beyond the year 6429', versionAt(LAST + 1, '0')],
    ['the end of all versions', 'ffffffff-ffff-7fff-bfff-ffffffffffff'],
  ])('is not %s', (_, text) => {
    expect(isVersion(text)).toBe(false);
  });
});
