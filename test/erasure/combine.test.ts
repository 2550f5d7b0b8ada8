import { afterEach, describe, expect, it, vi } from 'vitest';
import { addMultiple, combine } from '../../src/erasure/combine.ts';
import { kernelOn } from '../../src/erasure/kernel.ts';
import * as reference from '../../src/erasure/reference.ts';
import { alignedBuffers, memoryOf } from '../../src/memory/aligned.ts';
import { fc } from '../metadata/property.ts';
import { seededBytes } from '../support/bytes.ts';
import { slowProduct } from './slow-field.ts';

/** More than two of the spans that the work is cut into. */
const LARGE = 40_000;
const ROOM = 48 * 1024;

/** Where the bytes of a call lie: at which of these buffers does the n-th begin? */
const MEMORIES = {
  'in one memory': alignedBuffers(12, ROOM),
  'in several memories': Array.from({ length: 12 }, () => alignedBuffers(1, ROOM)).flat(),
  'outside of WebAssembly': Array.from({ length: 12 }, () => Buffer.alloc(ROOM)),
  'in a memory and outside': Array.from({ length: 12 }, (_, index) =>
    index % 2 === 0 ? alignedBuffers(1, ROOM) : [Buffer.alloc(ROOM)],
  ).flat(),
};
const WHERE = Object.keys(MEMORIES) as (keyof typeof MEMORIES)[];

const lengths = fc.oneof(
  fc.nat({ max: 200 }),
  fc.constantFrom(0, 1, 15, 16, 63, 64, 65, 16_384, 16_385, 32_768),
  fc.nat({ max: LARGE }),
);
const bytesAt = fc.record({ length: lengths, offset: fc.nat({ max: 70 }) });
const coefficients = fc.oneof(fc.constantFrom(0, 1, 2, 255), fc.nat({ max: 255 }));

const calls = fc
  .record({ inputs: fc.array(bytesAt, { maxLength: 6 }), outputs: fc.array(bytesAt, { maxLength: 4 }), seed: fc.nat() })
  .chain((call) =>
    fc.record({
      call: fc.constant(call),
      matrix: fc.array(
        fc
          .array(coefficients, { minLength: call.inputs.length, maxLength: call.inputs.length })
          .map((row) => Uint8Array.from(row)),
        { minLength: call.outputs.length, maxLength: call.outputs.length },
      ),
    }),
  );

const same = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a !== undefined && b !== undefined && Buffer.compare(a, b) === 0;

describe.each(WHERE)('sums of products of bytes %s', (where) => {
  const room = MEMORIES[where];

  /** Fills the n-th buffer, and gives the part of it that a call is to use. */
  function part(index: number, { length, offset }: { length: number; offset: number }, seed: string): Buffer {
    const buffer = room[index] ?? Buffer.alloc(0);
    buffer.set(seededBytes(offset + length + 70, `${seed} ${index}`));
    return buffer.subarray(offset, offset + length);
  }

  it('are those of the reference, at any lengths and offsets, and nothing else is written', () => {
    fc.assert(
      fc.property(calls, ({ call, matrix }) => {
        const inputs = call.inputs.map((input, index) => part(index, input, `input ${call.seed}`));
        const outputs = call.outputs.map((output, index) => part(6 + index, output, `output ${call.seed}`));
        const before = room.map((buffer) => Buffer.from(buffer));
        const expected = outputs.map((output) => Buffer.from(output));
        reference.combine(matrix, inputs, expected);
        combine(matrix, inputs, outputs);
        expect(outputs.every((output, index) => same(output, expected[index]))).toBe(true);
        call.outputs.forEach(({ length, offset }, index) =>
          before[6 + index]?.copy(room[6 + index] ?? Buffer.alloc(0), offset, offset, offset + length),
        );
        expect(room.every((buffer, index) => same(buffer, before[index]))).toBe(true);
      }),
      { numRuns: 150 },
    );
  });

  it('are right for every byte and every coefficient', () => {
    const input = part(0, { length: 256 + 64 + 5, offset: 3 }, 'every');
    input.forEach((_, index) => (input[index] = index));
    const output = part(1, { length: input.length, offset: 1 }, 'every');
    for (let coefficient = 0; coefficient < 256; coefficient++) {
      combine([Uint8Array.of(coefficient)], [input], [output]);
      expect(
        same(
          output,
          input.map((byte) => slowProduct(coefficient, byte)),
        ),
      ).toBe(true);
    }
  });

  it('are added to what is there, over the length of the input', () => {
    fc.assert(
      fc.property(bytesAt, lengths, coefficients, fc.nat(), ({ length, offset }, more, coefficient, seed) => {
        const input = part(0, { length, offset }, `input ${seed}`);
        const output = part(1, { length: Math.min(length + more, LARGE), offset: 70 - offset }, `output ${seed}`);
        const expected = Buffer.from(output);
        reference.addMultiple(expected, input, coefficient);
        addMultiple(output, input, coefficient);
        expect(same(output, expected)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it('are zeros where there is nothing to add', () => {
    const output = part(0, { length: 1000, offset: 5 }, 'nothing');
    combine([new Uint8Array()], [], [output]);
    expect(output.every((byte) => byte === 0)).toBe(true);
    combine([], [output], []);
  });
});

describe('the kernel', () => {
  /** The bytes before a buffer that are the kernel's, of which it uses the first. */
  const tables = (buffer: Buffer): Uint8Array => new Uint8Array(buffer.buffer, 0, 64 * 1024);

  it('is there', () => {
    const [buffer = Buffer.alloc(0)] = alignedBuffers(1, ROOM);
    const memory = memoryOf(buffer);
    expect(memory && kernelOn(memory)).toBeDefined();
  });

  it('works in the memory that all bytes of a call lie in', () => {
    const buffers = alignedBuffers(3, ROOM);
    combine([Uint8Array.of(1, 2)], buffers.slice(0, 2), buffers.slice(2));
    expect(buffers[0] && tables(buffers[0]).some((byte) => byte !== 0)).toBe(true);
  });

  it('leaves the memories alone that hold only some of the bytes', () => {
    const buffers = [...alignedBuffers(2, ROOM), ...alignedBuffers(1, ROOM)];
    combine([Uint8Array.of(1, 2)], buffers.slice(0, 2), buffers.slice(2));
    expect(buffers.every((buffer) => tables(buffer).every((byte) => byte === 0))).toBe(true);
  });
});

describe('without SIMD in WebAssembly', () => {
  afterEach(() => {
    vi.restoreAllMocks();
    vi.resetModules();
  });

  it('sums are computed in plain TypeScript', async () => {
    const { WebAssembly } = globalThis as unknown as { WebAssembly: { validate: (binary: Uint8Array) => boolean } };
    const validate = vi.spyOn(WebAssembly, 'validate').mockReturnValue(false);
    vi.resetModules();
    const plain = await import('../../src/erasure/combine.ts');
    const inputs = [seededBytes(1000, 'a'), seededBytes(900, 'b')];
    const outputs = [Buffer.alloc(1000), Buffer.alloc(950)];
    const matrix = [Uint8Array.of(3, 7), Uint8Array.of(1, 200)];
    plain.combine(matrix, inputs, outputs);
    plain.addMultiple(outputs[0] ?? Buffer.alloc(0), inputs[1] ?? Buffer.alloc(0), 5);
    expect(validate).toHaveBeenCalledTimes(1);
    const expected = [Buffer.alloc(1000), Buffer.alloc(950)];
    combine([Uint8Array.of(3, 7 ^ 5), Uint8Array.of(1, 200)], inputs, expected);
    expect(outputs).toEqual(expected);
  });
});

describe.each([
  ['the kernel', { addMultiple, combine }],
  ['the reference', reference],
])('%s refuses', (_, methods) => {
  const one = Buffer.alloc(1);

  it.each([
    ['fewer rows than outputs', [Uint8Array.of(1)], [one], [one, one]],
    ['more rows than outputs', [Uint8Array.of(1), Uint8Array.of(1)], [one], [one]],
    ['fewer coefficients than inputs', [Uint8Array.of(1)], [one, one], [one]],
    ['more coefficients than inputs', [Uint8Array.of(1, 1)], [one], [one]],
    ['more inputs than a stripe has shards', [new Uint8Array(33)], Array.from({ length: 33 }, () => one), [one]],
  ])('%s', (_, matrix, inputs, outputs) => {
    expect(() => {
      methods.combine(matrix, inputs, outputs);
    }).toThrow(RangeError);
  });

  it('to add more bytes than the output has', () => {
    expect(() => {
      methods.addMultiple(one, Buffer.alloc(2), 1);
    }).toThrow(RangeError);
  });

  it.each([-1, 256, 0.5, NaN])('the coefficient %d', (coefficient) => {
    expect(() => {
      methods.addMultiple(one, Buffer.alloc(1), coefficient);
    }).toThrow(RangeError);
  });
});
