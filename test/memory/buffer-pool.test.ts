import { describe, expect, it } from 'vitest';
import { BufferPool } from '../../src/memory/buffer-pool.ts';
import { CHUNK_SIZE } from '../../src/metadata/meta.ts';

describe('the pool of buffers', () => {
  it.each([0, 1, 64 * 1024, 64 * 1024 + 1, CHUNK_SIZE, CHUNK_SIZE + 1, CHUNK_SIZE + 2, 3 * CHUNK_SIZE])(
    'lends at least %i bytes',
    (size) => {
      expect(new BufferPool(CHUNK_SIZE).take(size).length).toBeGreaterThanOrEqual(size);
    },
  );

  it('lends a chunk more than it needs, so that a chunk that is too long shows', () => {
    expect(new BufferPool(CHUNK_SIZE).take(CHUNK_SIZE).length).toBeGreaterThan(CHUNK_SIZE);
  });

  it('lends what was given back again, and never the same memory to two', () => {
    const pool = new BufferPool(CHUNK_SIZE);
    const lent = Array.from({ length: 10 }, () => pool.take(CHUNK_SIZE));
    lent.forEach((buffer, index) => buffer.fill(index));
    expect(lent.every((buffer, index) => buffer.every((byte) => byte === index))).toBe(true);
    const [first = Buffer.alloc(0)] = lent;
    pool.give(first);
    expect(pool.take(CHUNK_SIZE)).toBe(first);
    expect(lent).not.toContain(pool.take(CHUNK_SIZE));
  });

  it.each([10, CHUNK_SIZE, 2 * CHUNK_SIZE])('does not take a buffer for a chunk that has %i bytes', (size) => {
    const pool = new BufferPool(CHUNK_SIZE);
    const given = Buffer.alloc(size);
    pool.give(given);
    const lent = pool.take(CHUNK_SIZE);
    expect(lent).not.toBe(given);
    expect(lent.length).toBeGreaterThan(CHUNK_SIZE);
  });
});
