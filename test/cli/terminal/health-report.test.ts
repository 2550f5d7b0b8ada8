import { describe, expect, test } from 'vitest';
import { describeHealth, healthExitCode } from '../../../src/cli/terminal/health-report.ts';
import type { ObjectHealth, Problem } from '../../../src/index.ts';

const ID = '01a203c9-bd0f-7378-a1ea-09fbe5b4bd3d';

function health(over: Partial<ObjectHealth>): ObjectHealth {
  return {
    bucket: 'b',
    key: 'k',
    state: 'degraded',
    version: undefined,
    redundancy: undefined,
    size: undefined,
    survives: 1,
    problems: [],
    lost: [],
    ...over,
  };
}

function problem(disk: string, over: Partial<Problem> = {}): Problem {
  return { part: 'chunk', disk, path: `chunks/3d/${ID}.000000.chunk`, state: 'missing', reason: '', ...over };
}

describe('the lines of an object', () => {
  test('are grouped by disk and state, with a few names, however many problems there are', () => {
    const problems = Array.from({ length: 9000 }, (_, index) =>
      problem(`disk${(index % 2) + 1}`, {
        path: `chunks/3d/${ID}.${String(index).padStart(6, '0')}.chunk`,
        state: index % 2 === 0 ? 'missing' : 'damaged',
      }),
    );
    expect(describeHealth(health({ problems }))).toEqual([
      'degraded  b/k  survives 1 more',
      '  disk1: 4500 chunks missing (000000.chunk, 000002.chunk, 000004.chunk, …)',
      '  disk2: 4500 chunks damaged (000001.chunk, 000003.chunk, 000005.chunk, …)',
    ]);
  });

  test('count chunks, parity and the meta apart', () => {
    const problems = [
      problem('d'),
      problem('d', { part: 'parity', path: `chunks/3d/${ID}.000000.parity1` }),
      problem('d', { part: 'meta', path: 'buckets/b/k.meta.json' }),
    ];
    expect(describeHealth(health({ problems }))[1]).toBe(
      '  d: 1 chunk, 1 parity chunk and the meta missing (000000.chunk, 000000.parity1)',
    );
    expect(describeHealth(health({ problems: problems.slice(2) }))[1]).toBe('  d: the meta missing');
  });

  test('are a dozen at most, also with hundreds of disks', () => {
    const problems = Array.from({ length: 256 }, (_, index) => problem(`disk${index}`));
    const lines = describeHealth(health({ problems }));
    expect(lines).toHaveLength(14);
    expect(lines.at(-1)).toBe('  … and 244 more groups of problems');
  });

  test('of one that is lost name the bytes, both ends included, and not thousands of them', () => {
    const lost = Array.from({ length: 100 }, (_, index) => ({ from: index * 10, to: index * 10 + 5 }));
    expect(describeHealth(health({ state: 'lost', lost: lost.slice(0, 2) }))[0]).toBe(
      'lost      b/k  bytes 0-4, 10-14',
    );
    expect(describeHealth(health({ state: 'lost', lost }))[0]).toMatch(
      /^lost {6}b\/k {2}bytes 0-4, (\d+-\d+, ){6}70-74 and 92 more ranges$/,
    );
  });

  test('of one whose meta is lost say that', () => {
    expect(
      describeHealth(health({ state: 'lost', problems: [problem('', { part: 'meta', state: 'unreadable' })] })),
    ).toEqual(['lost      b/k  its meta cannot be read', '  the meta unreadable']);
  });
});

test('only where all is whole is the exit code 0', () => {
  const report = { objects: 3, whole: 3, degraded: 0, lost: 0, buckets: 0, bytes: 0, problems: 0, unreadable: [] };
  const unreadable = [{ disk: 'disk1', path: 'buckets', reason: 'EIO' }];
  expect(
    [{}, { degraded: 1 }, { lost: 1 }, { buckets: 1 }, { unreadable }].map((part) =>
      healthExitCode({ ...report, ...part }),
    ),
  ).toEqual([0, 4, 4, 4, 4]);
});
