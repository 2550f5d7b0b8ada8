import { describe, expect, test } from 'vitest';
import { formatProgress } from '../../../src/cli/terminal/progress.ts';

const MIB = 1024 * 1024;

describe('the line of a bar', () => {
  test('has how much of it is done, the rate and the time left', () => {
    expect(formatProgress('k', 3 * MIB, 12 * MIB, 1500)).toBe(
      'k ██████░░░░░░░░░░░░░░░░░░ 25%  3.0 MiB of 12.0 MiB  2.0 MiB/s  4.5 s left',
    );
  });

  test('has neither rate nor time before there is something to tell from', () => {
    expect(formatProgress('k', 0, 12 * MIB, 900)).toBe(`k ${'░'.repeat(24)} 0%  0 B of 12.0 MiB`);
    expect(formatProgress('k', 0, undefined, 900)).toBe('k  …');
  });

  test('without a total is what has been done', () => {
    expect(formatProgress('k', 2 * MIB, undefined, 1000)).toBe('k  2.0 MiB  2.0 MiB/s');
  });

  test('never shows more than all, whatever was added meanwhile', () => {
    expect(formatProgress('k', 3 * MIB, 2 * MIB, 1000)).toBe(`k ${'█'.repeat(24)} 100%  3.0 MiB of 2.0 MiB  3.0 MiB/s`);
    expect(formatProgress('k', 0, 0, 0)).toBe(`k ${'█'.repeat(24)} 100%  0 B of 0 B`);
  });
});
