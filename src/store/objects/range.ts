import { StoreError } from '../../errors.ts';

/**
 * A range of bytes as in HTTP (RFC 9110, 14.1.2): both ends are included and counted from 0; without `to`, up to the
 * end; without `from`, the last `to` bytes.
 */
export interface ByteRange {
  from?: number | undefined;
  to?: number | undefined;
}

/** First byte, and the byte after the last one, of a range of an object of `size` bytes. @throws BAD_RANGE */
export function resolveRange(range: ByteRange | undefined, size: number): { from: number; to: number } {
  if (range === undefined) return { from: 0, to: size };
  const { from, to } = range;
  const fail = (reason: string): never => {
    throw new StoreError('BAD_RANGE', `bad range ${from ?? ''}-${to ?? ''}: ${reason}`, { found: size });
  };
  for (const end of [from, to]) {
    if (end !== undefined && !(Number.isSafeInteger(end) && end >= 0)) fail('both ends are whole numbers from 0');
  }
  if (from === undefined) {
    if (to === undefined || to === 0) return fail('it names no bytes');
    return { from: Math.max(0, size - to), to: size };
  }
  if (to !== undefined && to < from) fail('it ends before it begins');
  if (from >= size) fail(`the object has ${size} bytes`);
  return { from, to: Math.min(size, (to ?? size) + 1) };
}
