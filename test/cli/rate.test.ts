import { rmSync } from 'node:fs';
import { beforeEach, expect, test, vi } from 'vitest';
import type { Clock } from '../../src/concurrency/throttle.ts';
import { parseLines, type Cli } from '../support/cli.ts';
import { redundantStore, shardsOn } from './redundant-store.ts';

const MIB = 1024 * 1024;

/** Time that passes only where a throttle lets it, and the bytes that went through. */
const counted = vi.hoisted(() => ({ time: 0, bytes: 0 }));

vi.mock(import('../../src/concurrency/throttle.ts'), async (original) => {
  const { Throttle } = await original();
  const clock: Clock = {
    now: () => counted.time,
    sleep: (milliseconds) => {
      counted.time += milliseconds;
      return Promise.resolve();
    },
  };
  class Counted extends Throttle {
    constructor(rate: number | undefined) {
      super(rate, clock);
    }

    override take(bytes: number, signal?: AbortSignal): Promise<void> {
      counted.bytes += bytes;
      return super.take(bytes, signal);
    }
  }
  return { Throttle: Counted };
});

beforeEach(() => {
  counted.time = 0;
  counted.bytes = 0;
});

type Command = [name: string, args: string[], moved: string, prepare: (cli: Cli) => unknown];

function loseChunks(cli: Cli): void {
  for (const file of shardsOn(cli, 'disk2')) rmSync(file);
}

test.each<Command>([
  ['heal', ['heal'], 'rebuiltBytes', loseChunks],
  ['drain', ['disk', 'drain', 'disk2'], 'movedBytes', () => undefined],
  ['rebalance', ['rebalance'], 'movedBytes', (cli) => cli.store('disk', 'add', 'disk5', cli.path('new'))],
])('%s --rate is in MiB a second, of all that is read and written', async (_, args, moved, prepare) => {
  const cli = await redundantStore();
  await prepare(cli);
  const { code, stdout } = await cli.store(...args, '--rate', '0.5', '--json');
  expect(code).toBe(0);
  const report = parseLines(stdout).at(-1) ?? {};
  // Each byte that is moved or made again is read somewhere and written elsewhere.
  expect(report[moved]).toBeGreaterThan(0);
  expect(counted.bytes).toBeGreaterThanOrEqual(2 * Number(report[moved]));
  expect(counted.time / 1000).toBeCloseTo(counted.bytes / (0.5 * MIB), 3);
});

test('without --rate nothing waits', async () => {
  const cli = await redundantStore();
  expect(await cli.store('heal')).toMatchObject({ code: 0 });
  expect(counted.time).toBe(0);
});
