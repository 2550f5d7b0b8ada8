import { afterEach, expect, test } from 'vitest';
import { setClock } from './clock.ts';

const HOUR = 3_600_000;

/** Hours by which this process's clock is ahead of the time that no clock shows. */
function ahead(time: number): number {
  return Math.round((time - performance.timeOrigin - performance.now()) / HOUR) + 0;
}

afterEach(() => {
  setClock(0);
});

test('a clock goes ahead and back, whichever way it is read', () => {
  for (const hours of [3, -2, 0]) {
    setClock(hours * HOUR);
    expect(ahead(Date.now())).toBe(hours);
    expect(ahead(new Date().getTime())).toBe(hours);
  }
});

test('what has a time of its own keeps it', () => {
  setClock(HOUR);
  const date = new Date(2026, 0, 1);
  expect(date).toBeInstanceOf(Date);
  expect(new Date(date.getTime()).getTime()).toBe(date.getTime());
  expect(Date.UTC(1970)).toBe(0);
});
