import { must } from '../errors.ts';
import { productsOf } from './gf256.ts';
import { checkMultiple, checkShape, type Rows } from './shape.ts';

/**
 * What `combine.ts` does, in plain TypeScript: the reference that its tests compare with, and what takes its place where
 * WebAssembly has no SIMD.
 */

/** As `addMultiple` of `combine.ts`. */
export function addMultiple(output: Uint8Array, input: Uint8Array, coefficient: number): void {
  checkMultiple(output, input, coefficient);
  if (coefficient === 0) return;
  const products = productsOf(coefficient);
  for (let index = 0; index < input.length; index++) {
    output[index] = (output[index] ?? 0) ^ (products[input[index] ?? 0] ?? 0);
  }
}

/** As `combine` of `combine.ts`. */
export function combine(matrix: Rows, inputs: Rows, outputs: Rows): void {
  checkShape(matrix, inputs, outputs);
  outputs.forEach((output, row) => {
    const coefficients = must(matrix[row], 'row');
    output.fill(0);
    inputs.forEach((input, column) => {
      addMultiple(output, input.subarray(0, output.length), must(coefficients[column], 'coefficient'));
    });
  });
}
