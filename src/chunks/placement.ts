import { must } from '../errors.ts';

/** Disks whose room differs by less than this share of the largest count as equal. */
const EQUAL_SHARE = 0.2;

/** The fractional part of the golden ratio: its multiples, modulo 1, are spread as evenly as can be. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/**
 * Where the shards of a stripe go: distinct indices of the disks that take part, as many as there are disks at most.
 *
 * With equal weights, shard j of stripe s of a version goes to disk (start + s + j) mod n; with `1+0` this is plain
 * round-robin. `start` comes from the version, so that small objects spread over the disks too. With unequal weights each
 * disk takes part in a share of the stripes that is in proportion to its weight: systematic sampling (Madow, 1949) at
 * points that follow the golden ratio, which fits both one stripe of each of many objects and many stripes of one.
 */
export function placeStripe(start: number, stripe: number, shards: number, weights: readonly number[]): number[] {
  const count = Math.min(shards, weights.length);
  if (areEqual(weights)) return Array.from({ length: count }, (_, shard) => (start + stripe + shard) % weights.length);
  const shares = sharesOf(weights, count);
  const first = (start / 2 ** 32 + stripe * GOLDEN) % 1;
  const chosen: number[] = [];
  let end = 0;
  shares.forEach((share, index) => {
    end += share;
    if (chosen.length < count && first + chosen.length < end) chosen.push(index);
  });
  // Rounding may leave the last place to nobody.
  for (let index = 0; chosen.length < count; index++) if (!chosen.includes(index)) chosen.push(index);
  const turn = (start + stripe) % count;
  return [...chosen.slice(turn), ...chosen.slice(0, turn)];
}

/** A version's first disk, as a number to take modulo the number of disks: the last 32 bits of the id, which are random. */
export function startOf(version: string): number {
  return Number.parseInt(version.slice(-8), 16);
}

function areEqual(weights: readonly number[]): boolean {
  return Math.min(...weights) >= Math.max(...weights) * (1 - EQUAL_SHARE);
}

/** For each disk the share of stripes that it takes part in: at most 1, `count` in sum, otherwise in proportion. */
function sharesOf(weights: readonly number[], count: number): number[] {
  const shares = weights.map(() => 0);
  const weightOf = (index: number): number => must(weights[index], 'weight');
  let open = weights.map((_, index) => index);
  let left = count;
  for (;;) {
    const sum = open.reduce((total, index) => total + weightOf(index), 0);
    const full = open.filter((index) => weightOf(index) * left >= sum);
    if (full.length === 0 || full.length === open.length) {
      for (const index of open)
        shares[index] = sum === 0 ? left / open.length : Math.min(1, (weightOf(index) * left) / sum);
      return shares;
    }
    for (const index of full) shares[index] = 1;
    left -= full.length;
    open = open.filter((index) => !full.includes(index));
  }
}
