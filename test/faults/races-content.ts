import { createCipheriv, createHash } from 'node:crypto';

const HEAD_BYTES = 8;
const KIB = 1024;

/**
 * Bytes that say themselves what they must be: a head with seed and length, then bytes that follow from the seed. Half of
 * the objects are small, the others have up to three chunks.
 */
export function makeContent(seed: number): Buffer {
  const key = createHash('sha256').update(String(seed)).digest();
  const fraction = key.readUInt32LE(0) / 2 ** 32;
  const size = HEAD_BYTES + Math.floor(fraction * (seed % 2 === 0 ? 8 * KIB : 2500 * KIB));
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32LE(seed, 0);
  head.writeUInt32LE(size, 4);
  return Buffer.concat([
    head,
    createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size - HEAD_BYTES)),
  ]);
}

/** The content type that belongs to the content, so that a meta and bytes of different versions are told apart. */
export function contentTypeOf(seed: number): string {
  return `x-seed/${seed}`;
}

/** Why these bytes are not one whole version, or undefined where they are. */
export function whyNotWhole(bytes: Buffer, contentType: string): string | undefined {
  if (bytes.length < HEAD_BYTES) return `only ${bytes.length} bytes`;
  const seed = bytes.readUInt32LE(0);
  if (contentType !== contentTypeOf(seed)) return `the bytes of seed ${seed} came with the meta of ${contentType}`;
  const expected = makeContent(seed);
  if (bytes.equals(expected)) return undefined;
  const at = bytes.findIndex((byte, index) => byte !== expected[index]);
  return `the bytes of seed ${seed} (${expected.length}) differ from byte ${at} on; there are ${bytes.length}`;
}
