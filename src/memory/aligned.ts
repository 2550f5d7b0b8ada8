/** Memory of WebAssembly instances, which other threads can work on as well. */
export interface WasmMemory {
  readonly buffer: SharedArrayBuffer;
}

/** The part of WebAssembly that is used here; Node 20's types leave it to the browser's library. */
declare const WebAssembly: {
  Memory: new (descriptor: { initial: number; maximum: number; shared: true }) => WasmMemory;
};

/** Bytes of a WebAssembly page. */
const WASM_PAGE = 64 * 1024;

/** Direct I/O wants memory, file offsets and lengths at multiples of the device's block, which is never larger. */
export const BLOCK_SIZE = 4096;

const memories = new WeakMap<ArrayBufferLike, WasmMemory>();

/**
 * `count` buffers of `size` bytes, a multiple of `BLOCK_SIZE`, that begin at multiples of it in memory. Node cannot say
 * where its own buffers begin; the memory of a WebAssembly instance begins at a page. All buffers of a call lie in one
 * memory, after its first page: that is free for the code that works on them there (see `memoryOf`).
 */
export function alignedBuffers(count: number, size: number): Buffer[] {
  const pages = 1 + Math.ceil((count * size) / WASM_PAGE);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  memories.set(memory.buffer, memory);
  return Array.from({ length: count }, (_, index) => Buffer.from(memory.buffer, WASM_PAGE + index * size, size));
}

/** Whether direct I/O can take these bytes as they are. */
export function isAligned(bytes: Uint8Array): boolean {
  const { buffer, byteOffset, length } = bytes;
  return memories.has(buffer) && byteOffset % BLOCK_SIZE === 0 && length % BLOCK_SIZE === 0 && length > 0;
}

/** The memory that these bytes lie in, for WebAssembly code to work on them in place, if `alignedBuffers` made it. */
export function memoryOf(bytes: Uint8Array): WasmMemory | undefined {
  return memories.get(bytes.buffer);
}
