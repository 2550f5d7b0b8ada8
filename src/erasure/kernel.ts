import type { WasmMemory } from '../memory/aligned.ts';
import { must } from '../errors.ts';
import { multiply } from './gf256.ts';
import { KERNEL_BINARY } from './kernel-binary.ts';

/** The part of WebAssembly that is used here; Node 20's types leave it to the browser's library. */
declare const WebAssembly: {
  Module: new (binary: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { readonly exports: { readonly combine: Combine } };
  validate(binary: Uint8Array): boolean;
};

/** The addresses of a sum's sources; undefined for one that counts as zeros. */
export type Sources = readonly (number | undefined)[];

/** The function that kernel.wat exports. All but the length are addresses. */
type Combine = (output: number, length: number, terms: number, products: number, end: number) => void;

/** Layout of the memory's first page, as kernel.wat says. */
const TABLE_SIZE = 32;
const TERMS = 256 * TABLE_SIZE;
const TERM_SIZE = 8;

/** The kernel at work in one memory, the first page of which it uses. */
export class Kernel {
  readonly #combine: Combine;
  readonly #view: DataView;

  constructor(module: object, memory: WasmMemory) {
    new Uint8Array(memory.buffer).set(productTables());
    this.#view = new DataView(memory.buffer);
    this.#combine = new WebAssembly.Instance(module, { kernel: { memory } }).exports.combine;
  }

  /**
   * Writes Σ coefficients[i] · source i to `length` bytes at the address `output`. Each source has as many bytes. The output
   * may be a source too.
   */
  sum(output: number, length: number, coefficients: Uint8Array, sources: Sources): void {
    const products = this.#writeTerms(TERMS, coefficients, sources, (coefficient) => coefficient === 1);
    const end = this.#writeTerms(products, coefficients, sources, (coefficient) => coefficient > 1);
    this.#combine(output, length, TERMS, products, end);
  }

  /** Writes the chosen terms to the address `term`, and gives the address after them. */
  #writeTerms(term: number, factors: Uint8Array, sources: Sources, chosen: (factor: number) => boolean): number {
    for (const [index, source] of sources.entries()) {
      const coefficient = must(factors[index], 'coefficient');
      if (source === undefined || !chosen(coefficient)) continue;
      this.#view.setUint32(term, source, true);
      this.#view.setUint32(term + 4, coefficient * TABLE_SIZE, true);
      term += TERM_SIZE;
    }
    return term;
  }
}

/** Undefined before the first call; its module is undefined where WebAssembly has no SIMD. */
let compiled: { module: object | undefined } | undefined;
const kernels = new WeakMap<WasmMemory, Kernel>();

/** The kernel for a memory, or nothing where WebAssembly has no SIMD. The first call compiles it, in a few milliseconds. */
export function kernelOn(memory: WasmMemory): Kernel | undefined {
  compiled ??= { module: compile() };
  if (compiled.module === undefined) return undefined;
  const kernel = kernels.get(memory) ?? new Kernel(compiled.module, memory);
  kernels.set(memory, kernel);
  return kernel;
}

function compile(): object | undefined {
  const binary = Buffer.from(KERNEL_BINARY, 'base64');
  return WebAssembly.validate(binary) ? new WebAssembly.Module(binary) : undefined;
}

let tables: Uint8Array | undefined;

/** The tables of all coefficients, one after the other. */
function productTables(): Uint8Array {
  tables ??= Uint8Array.from({ length: TERMS }, (_, address) => {
    const entry = address % TABLE_SIZE;
    return multiply(Math.floor(address / TABLE_SIZE), entry < 16 ? entry : (entry - 16) << 4);
  });
  return tables;
}
