/** The product of two bytes in GF(2^8), by the book: multiply polynomials, then take away multiples of 0x11d. */
export function slowProduct(a: number, b: number): number {
  let product = 0;
  for (let bit = 0; bit < 8; bit++) {
    if ((b & (1 << bit)) !== 0) product ^= a << bit;
  }
  for (let bit = 14; bit >= 8; bit--) {
    if ((product & (1 << bit)) !== 0) product ^= 0x11d << (bit - 8);
  }
  return product;
}
