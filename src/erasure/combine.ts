import { kernelOn } from './kernel.ts';
import { placeFor, spans } from './place.ts';
import * as reference from './reference.ts';
import { checkMultiple, checkShape, type Rows } from './shape.ts';

/**
 * Adds a multiple of the input to the output: output ^= coefficient · input, over the length of the input. RangeError if
 * the input is longer than the output, or the coefficient is not a byte. The two must not overlap.
 */
export function addMultiple(output: Uint8Array, input: Uint8Array, coefficient: number): void {
  checkMultiple(output, input, coefficient);
  const target = output.subarray(0, input.length);
  const done = compute([Uint8Array.of(1, coefficient)], [target, input], [target]);
  if (!done) reference.addMultiple(output, input, coefficient);
}

/**
 * Overwrites the outputs: outputs[i] = Σ matrix[i][j] · inputs[j]. Inputs and outputs may be of different lengths: what an
 * input lacks counts as zeros, and what it has more than an output is left out. RangeError for a matrix of another shape,
 * and for more than `MAX_SHARDS` inputs. Outputs must not overlap with one another, nor with inputs.
 *
 * Fastest where all bytes lie in buffers of one call of `alignedBuffers`; bytes from elsewhere are copied, span by span.
 */
export function combine(matrix: Rows, inputs: Rows, outputs: Rows): void {
  checkShape(matrix, inputs, outputs);
  const done = compute(matrix, inputs, outputs);
  if (!done) reference.combine(matrix, inputs, outputs);
}

/** As `combine`, but an output may be an input too. Where there is no kernel, it does nothing and gives false. */
function compute(matrix: Rows, inputs: Rows, outputs: Rows): boolean {
  const place = placeFor([...inputs, ...outputs]);
  const kernel = kernelOn(place.memory);
  if (kernel === undefined) return false;
  for (const span of spans(inputs, outputs)) {
    const sourceOf = (input: Uint8Array, index: number): number => place.source(input, span, index);
    const sources = inputs.map((input, index) => (span.from < input.length ? sourceOf(input, index) : undefined));
    for (const [row, coefficients] of matrix.entries()) {
      const output = outputs[row];
      if (output === undefined || span.from >= output.length) continue;
      kernel.sum(place.target(output, span), span.to - span.from, coefficients, sources);
      place.finish(output, span);
    }
  }
  return true;
}
