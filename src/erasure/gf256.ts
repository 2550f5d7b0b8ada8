/**
 * Arithmetic in the field of 256 elements, GF(2^8): a byte is a polynomial over GF(2), reduced by x^8 + x^4 + x^3 + x^2 + 1.
 * Addition and subtraction are both XOR.
 */
const POLYNOMIAL = 0x11d;

/** Number of elements that have an inverse; the powers of x go through them all and begin again. */
const ORDER = 255;

/** POWERS[i] = x^i, twice in a row, so that a sum of two logarithms needs no reduction. */
const POWERS = new Uint8Array(2 * ORDER);
const LOGARITHMS = new Uint8Array(256);

for (let exponent = 0, power = 1; exponent < ORDER; exponent++) {
  POWERS[exponent] = power;
  POWERS[exponent + ORDER] = power;
  LOGARITHMS[power] = exponent;
  power <<= 1;
  if (power > 0xff) power ^= POLYNOMIAL;
}

/** The product of two elements. */
export function multiply(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : elementAt(POWERS, elementAt(LOGARITHMS, a) + elementAt(LOGARITHMS, b));
}

/** The element whose product with `a` is 1. Zero has none: RangeError. */
export function inverse(a: number): number {
  if (a === 0) throw new RangeError('0 has no inverse');
  return elementAt(POWERS, ORDER - elementAt(LOGARITHMS, a));
}

const products: Uint8Array[] = [];

/** The products of an element with all elements, in a table that is kept: do not change it. */
export function productsOf(a: number): Uint8Array {
  return (products[a] ??= Uint8Array.from({ length: 256 }, (_, b) => multiply(a, b)));
}

/** Whether a number is an element of the field. */
export function isElement(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 0xff;
}

function elementAt(table: Uint8Array, index: number): number {
  const element = table[index];
  if (element === undefined) throw new RangeError('not a byte');
  return element;
}
