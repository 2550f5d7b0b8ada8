import { isElement } from './gf256.ts';

/** Shards of a stripe at most, data and parity together. */
export const MAX_SHARDS = 32;

/** Rows of a matrix, or shards side by side. */
export type Rows = readonly Uint8Array[];

/** Throws a RangeError unless `output ^= coefficient · input` can be done. */
export function checkMultiple(output: Uint8Array, input: Uint8Array, coefficient: number): void {
  if (!isElement(coefficient)) throw new RangeError(`${coefficient} is not a coefficient`);
  if (input.length > output.length) throw new RangeError('the input is longer than the output');
}

/** Throws a RangeError unless the matrix has a row for each output, with a coefficient for each of `MAX_SHARDS` inputs at most. */
export function checkShape(matrix: Rows, inputs: Rows, outputs: Rows): void {
  if (matrix.length !== outputs.length)
    throw new RangeError(`${matrix.length} rows cannot make ${outputs.length} outputs`);
  if (inputs.length > MAX_SHARDS) throw new RangeError(`${inputs.length} inputs are more than a stripe has shards`);
  const wrong = matrix.find((row) => row.length !== inputs.length);
  if (wrong !== undefined) throw new RangeError(`${wrong.length} coefficients do not fit ${inputs.length} inputs`);
}
