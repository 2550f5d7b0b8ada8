import { alignedBuffers, memoryOf, type WasmMemory } from '../memory/aligned.ts';
import { MAX_SHARDS, type Rows } from './shape.ts';

/**
 * Bytes of each shard that are worked on at a time: little enough that the inputs are still in the processor's cache for
 * the next output.
 */
const SPAN_SIZE = 16 * 1024;

/** A part of all shards: offsets, at most `SPAN_SIZE` apart. */
export interface Span {
  from: number;
  to: number;
}

/** Where the kernel finds the bytes that it works on, span by span. */
export interface Place {
  readonly memory: WasmMemory;
  /** Makes a span of an input ready, and gives its address. */
  source(input: Uint8Array, span: Span, index: number): number;
  /** The address where a span of an output is to be written. */
  target(output: Uint8Array, span: Span): number;
  /** Takes a span of an output, once it is written, to where it belongs. */
  finish(output: Uint8Array, span: Span): void;
}

/** Cuts up to the longest output in such a way that no input and no output ends inside a span. */
export function* spans(inputs: Rows, outputs: Rows): Iterable<Span> {
  const length = Math.max(0, ...outputs.map((output) => output.length));
  const ends = [...inputs, ...outputs].map((bytes) => Math.min(bytes.length, length)).sort((a, b) => a - b);
  let from = 0;
  for (const end of ends) {
    while (from < end) {
      const to = Math.min(from + SPAN_SIZE, end);
      yield { from, to };
      from = to;
    }
  }
}

/** The place for these bytes: where they are if that is one memory of `alignedBuffers`, otherwise the scratch memory. */
export function placeFor(all: Rows): Place {
  const [first] = all;
  const memory = first && memoryOf(first);
  if (memory === undefined || all.some(({ buffer }) => buffer !== memory.buffer)) return (scratch ??= makeScratch());
  return {
    memory,
    source: (input, { from }) => input.byteOffset + from,
    target: (output, { from }) => output.byteOffset + from,
    finish: () => undefined,
  };
}

let scratch: Place | undefined;

/** Has room for a span of each input and of one output. */
function makeScratch(): Place {
  const [room = Buffer.alloc(0)] = alignedBuffers(1, (MAX_SHARDS + 1) * SPAN_SIZE);
  const memory = memoryOf(room);
  if (memory === undefined) throw new TypeError('aligned buffers lie in no memory');
  const output = MAX_SHARDS * SPAN_SIZE;
  return {
    memory,
    source: (input, { from, to }, index) => {
      room.set(input.subarray(from, to), index * SPAN_SIZE);
      return room.byteOffset + index * SPAN_SIZE;
    },
    target: () => room.byteOffset + output,
    finish: (bytes, { from, to }) => {
      bytes.set(room.subarray(output, output + to - from), from);
    },
  };
}
