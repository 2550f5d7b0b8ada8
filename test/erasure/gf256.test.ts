import { describe, expect, it } from 'vitest';
import { inverse, isElement, multiply } from '../../src/erasure/gf256.ts';
import { slowProduct } from './slow-field.ts';

const ELEMENTS = Array.from({ length: 256 }, (_, element) => element);

describe('the field of 256 elements', () => {
  it('multiplies every two elements as polynomials modulo 0x11d', () => {
    const wrong = ELEMENTS.flatMap((a) =>
      ELEMENTS.filter((b) => multiply(a, b) !== slowProduct(a, b)).map((b) => [a, b]),
    );
    expect(wrong).toEqual([]);
  });

  it('has an inverse for every element but 0', () => {
    expect(ELEMENTS.slice(1).filter((a) => slowProduct(a, inverse(a)) !== 1)).toEqual([]);
    expect(() => inverse(0)).toThrow(RangeError);
  });

  it('multiplies in any order, and into sums', () => {
    const some = ELEMENTS.filter((element) => element % 7 === 0);
    for (const a of some) {
      for (const b of some) {
        for (const c of some) {
          if (multiply(multiply(a, b), c) !== multiply(a, multiply(b, c))) expect.fail(`(${a}·${b})·${c}`);
          if (multiply(a, b ^ c) !== (multiply(a, b) ^ multiply(a, c))) expect.fail(`${a}·(${b}+${c})`);
        }
      }
    }
  });

  it('takes nothing but bytes', () => {
    expect([0, 1, 255].every(isElement)).toBe(true);
    expect([-1, 256, 0.5, NaN, Infinity].some(isElement)).toBe(false);
    expect(() => multiply(256, 1)).toThrow(RangeError);
    expect(() => multiply(1, 0.5)).toThrow(RangeError);
  });
});
