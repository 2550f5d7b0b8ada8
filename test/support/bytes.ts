import { createCipheriv, createHash } from 'node:crypto';

/** Bytes that look random and are the same for the same seed, so that a failure can be repeated. */
export function seededBytes(size: number, seed: string | number): Buffer {
  const key = createHash('sha256').update(String(seed)).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size));
}
