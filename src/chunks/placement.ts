/**
 * Where shards go. Shard j of stripe s of a version goes to disk (start + s + j) mod n of the n disks that take part;
 * with `1+0` this is plain round-robin. `start` comes from the version, so that small objects spread over the disks too.
 */
export function placeShard(start: number, stripe: number, shard: number, disks: number): number {
  return (start + stripe + shard) % disks;
}

/** A version's first disk, as a number to take modulo the number of disks: the last 32 bits of the id, which are random. */
export function startOf(version: string): number {
  return Number.parseInt(version.slice(-8), 16);
}
