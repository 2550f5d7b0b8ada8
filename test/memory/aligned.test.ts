import { describe, expect, it } from 'vitest';
import { alignedBuffers, BLOCK_SIZE, isAligned, memoryOf } from '../../src/memory/aligned.ts';

describe('aligned buffers', () => {
  it.each([
    [1, BLOCK_SIZE],
    [4, 1024 * 1024 + BLOCK_SIZE],
    [3, 16 * BLOCK_SIZE],
    [40, BLOCK_SIZE],
    [0, BLOCK_SIZE],
  ])('are %i of %i bytes, fit for direct I/O', (count, size) => {
    const buffers = alignedBuffers(count, size);
    expect(buffers.map((buffer) => buffer.length)).toEqual(Array.from({ length: count }, () => size));
    expect(buffers.every(isAligned)).toBe(true);
  });

  it('do not overlap', () => {
    const buffers = alignedBuffers(5, 3 * BLOCK_SIZE);
    buffers.forEach((buffer, index) => buffer.fill(index + 1));
    expect(buffers.every((buffer, index) => buffer.every((byte) => byte === index + 1))).toBe(true);
  });

  it('lie in one memory, after its first page', () => {
    const buffers = alignedBuffers(3, BLOCK_SIZE);
    const memories = buffers.map(memoryOf);
    expect(memories[0]?.buffer).toBe(buffers[0]?.buffer);
    expect(memories.every((memory) => memory === memories[0])).toBe(true);
    expect(buffers.every(({ byteOffset }) => byteOffset >= 64 * 1024)).toBe(true);
  });

  it('of two calls lie in two memories', () => {
    const [a = Buffer.alloc(0), b = Buffer.alloc(0)] = [
      alignedBuffers(1, BLOCK_SIZE),
      alignedBuffers(1, BLOCK_SIZE),
    ].flat();
    expect(memoryOf(a)).not.toBe(memoryOf(b));
  });

  it('are told from others, whatever part of them is looked at', () => {
    const [buffer = Buffer.alloc(0)] = alignedBuffers(1, 4 * BLOCK_SIZE);
    expect(memoryOf(buffer.subarray(1, 2))).toBe(memoryOf(buffer));
    expect(isAligned(buffer.subarray(BLOCK_SIZE, 3 * BLOCK_SIZE))).toBe(true);
    expect(isAligned(buffer.subarray(1))).toBe(false);
    expect(isAligned(buffer.subarray(0, 100))).toBe(false);
    expect(isAligned(buffer.subarray(0, 0))).toBe(false);
    expect(memoryOf(Buffer.alloc(BLOCK_SIZE))).toBeUndefined();
    expect(isAligned(Buffer.alloc(BLOCK_SIZE))).toBe(false);
  });
});
