import { createCipheriv, createHash } from 'node:crypto';

const KIB = 1024;
const MIB = 1024 * KIB;

/** Sizes at which something changes: nothing, one chunk, a stripe's end. */
const EDGES = [0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB - 1, 2 * MIB, 2 * MIB + 1, 3 * MIB, 4 * MIB + 7];

function digest(seed: number): Buffer {
  return createHash('sha256').update(String(seed)).digest();
}

export function sizeOf(seed: number): number {
  const hash = digest(seed);
  const kind = hash.readUInt8(31) % 10;
  const fraction = hash.readUInt32LE(0) / 2 ** 32;
  if (kind < 5) return Math.floor(fraction * 20 * KIB);
  if (kind < 7) return EDGES[Math.floor(fraction * EDGES.length)] ?? 0;
  return Math.floor(fraction * 3 * MIB);
}

/** The bytes of an object: they follow from the seed. */
export function makeContent(seed: number): Buffer {
  return createCipheriv('aes-256-ctr', digest(seed), Buffer.alloc(16)).update(Buffer.alloc(sizeOf(seed)));
}

/** Says in the meta which bytes the object must have. */
export function contentTypeOf(seed: number): string {
  return `x-seed/${seed}`;
}

export function seedOf(contentType: string): number {
  return Number(contentType.slice('x-seed/'.length));
}

/** Why these are not the bytes of the seed from `from` on, or undefined where they are. */
export function whyWrong(bytes: Buffer, seed: number, from = 0, to = sizeOf(seed)): string | undefined {
  const expected = makeContent(seed).subarray(from, to);
  if (bytes.equals(expected)) return undefined;
  const at = bytes.findIndex((byte, index) => byte !== expected[index]);
  return `wrong bytes: ${bytes.length} instead of ${expected.length}, which differ from byte ${from + at} on, of seed ${seed}`;
}
