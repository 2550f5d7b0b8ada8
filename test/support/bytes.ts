import { createHash } from 'node:crypto';

/** Bytes that look random and are the same for the same seed, so that a failure can be repeated. */
export function seededBytes(size: number, seed: string | number): Buffer {
  const bytes = Buffer.alloc(size);
  let block = createHash('sha256').update(String(seed)).digest();
  for (let offset = 0; offset < size; offset += block.length) {
    block.copy(bytes, offset);
    block = createHash('sha256').update(block).digest();
  }
  return bytes;
}
