import { must } from '../errors.ts';
import { inverse, multiply } from './gf256.ts';
import { addMultiple } from './reference.ts';
import { MAX_SHARDS, type Rows } from './shape.ts';

/** The points of the Cauchy matrix: x for parity rows, y for data columns. No x is a y, as there are far less than 128. */
const x = (row: number): number => row;
const y = (column: number): number => 255 - column;

/**
 * Coefficient of data shard `column` in parity row `row`: part of the format on disk. It is the same for every number of
 * data and parity shards.
 *
 * The matrix 1 / (x + y) is a Cauchy matrix: each of its square submatrices can be inverted, so any `dataCount` shards give
 * all others. Rows and columns are scaled, which keeps that, so that the first row and the first column are ones: the
 * first parity shard is the XOR of the data, and all parity shards of a single data shard are copies of it.
 */
export function coefficient(row: number, column: number): number {
  if (!isIndex(row) || !isIndex(column) || row + column + 2 > MAX_SHARDS) {
    throw new RangeError(`no stripe has parity row ${row} of data shard ${column}`);
  }
  const scale = multiply(x(0) ^ y(column), x(row) ^ y(0));
  return multiply(scale, inverse(multiply(x(row) ^ y(column), x(0) ^ y(0))));
}

/**
 * How to make shards from others. Shards of a stripe are numbered: 0 to dataCount - 1 are data, dataCount + r is parity row
 * r. The sources are any `dataCount` different shards; for each wanted shard there is a row of coefficients, such that
 * wanted = Σ coefficients[i] · sources[i]. RangeError for other numbers of sources, and for shards that no stripe has.
 */
export function recoveryMatrix(dataCount: number, sources: readonly number[], wanted: readonly number[]): Uint8Array[] {
  if (!isIndex(dataCount) || dataCount === 0) throw new RangeError(`a stripe cannot have ${dataCount} data shards`);
  if (sources.length !== dataCount) throw new RangeError(`${dataCount} sources are needed, not ${sources.length}`);
  if (new Set(sources).size !== sources.length) throw new RangeError('the sources must be different shards');
  const fromSources = invert(sources.map((shard) => fromData(dataCount, shard)));
  return wanted.map((shard) => {
    const row = new Uint8Array(dataCount);
    fromData(dataCount, shard).forEach((factor, column) => {
      addMultiple(row, rowAt(fromSources, column), factor);
    });
    return row;
  });
}

/** The coefficients that make a shard from the data shards. */
function fromData(dataCount: number, shard: number): Uint8Array {
  if (!isIndex(shard)) throw new RangeError(`a stripe has no shard ${shard}`);
  return Uint8Array.from({ length: dataCount }, (_, column) => {
    if (shard < dataCount) return shard === column ? 1 : 0;
    return coefficient(shard - dataCount, column);
  });
}

/** The inverse of a square matrix, by Gauss-Jordan elimination: what makes it the unit matrix makes that its inverse. */
function invert(matrix: Rows): Uint8Array[] {
  const size = matrix.length;
  const rows = matrix.map((row, index) => {
    const extended = new Uint8Array(2 * size);
    extended.set(row);
    extended[size + index] = 1;
    return extended;
  });
  for (let column = 0; column < size; column++) {
    const found = rows.findIndex((row, index) => index >= column && row[column] !== 0);
    const pivot = new Uint8Array(2 * size);
    addMultiple(pivot, rowAt(rows, found), inverse(must(rowAt(rows, found)[column], 'coefficient')));
    rows.splice(found, 1);
    for (const row of rows) addMultiple(row, pivot, must(row[column], 'coefficient'));
    rows.splice(column, 0, pivot);
  }
  return rows.map((row) => row.subarray(size));
}

function rowAt(rows: Rows, index: number): Uint8Array {
  const row = rows[index];
  if (row === undefined) throw new RangeError('the matrix has no inverse');
  return row;
}

function isIndex(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < MAX_SHARDS;
}
