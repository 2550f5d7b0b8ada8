/** The part of WebAssembly that is used here; Node 20's types leave it to the browser's library. */
declare const WebAssembly: {
  Memory: new (descriptor: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
};

/** Bytes of a WebAssembly page. */
const WASM_PAGE = 64 * 1024;

/** Direct I/O wants memory, file offsets and lengths at multiples of the device's block, which is never larger. */
export const BLOCK_SIZE = 4096;

const alignedMemory = new WeakSet<ArrayBufferLike>();

/**
 * `count` buffers of `size` bytes, a multiple of `BLOCK_SIZE`, that begin at multiples of it in memory. Node cannot say
 * where its own buffers begin; the memory of a WebAssembly instance begins at a page.
 */
export function alignedBuffers(count: number, size: number): Buffer[] {
  const pages = Math.ceil((count * size) / WASM_PAGE);
  const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages });
  alignedMemory.add(buffer);
  return Array.from({ length: count }, (_, index) => Buffer.from(buffer, index * size, size));
}

/** Whether direct I/O can take these bytes as they are. */
export function isAligned(bytes: Uint8Array): boolean {
  return alignedMemory.has(bytes.buffer) && bytes.byteOffset % BLOCK_SIZE === 0 && bytes.length % BLOCK_SIZE === 0 && bytes.length > 0;
}
