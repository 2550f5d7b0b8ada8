import { expect, test } from 'vitest';
import { Throttle, type Clock } from '../../src/concurrency/throttle.ts';

test('a throttle without a rate never waits', async () => {
  const throttle = new Throttle(undefined);
  for (let times = 0; times < 1000; times++) await throttle.take(2 ** 40, AbortSignal.abort());
});

test('what is above the rate waits, for however long, until it is aborted', async () => {
  for (const rate of [1, 1e-9]) {
    const controller = new AbortController();
    const taken = new Throttle(rate).take(2 ** 30, controller.signal);
    controller.abort();
    await expect(taken).rejects.toMatchObject({ code: 'ABORTED' });
  }
});

test('what is within the rate is let through', async () => {
  const throttle = new Throttle(2 ** 50);
  for (let times = 0; times < 10; times++) await throttle.take(1000);
});

/** Time that passes only where somebody sleeps. */
function clockOfItsOwn(): Clock & { time: number } {
  const clock = {
    time: 12_345,
    now: () => clock.time,
    sleep: (milliseconds: number) => {
      clock.time += milliseconds;
      return Promise.resolve();
    },
  };
  return clock;
}

test.each([
  { rate: 1000, bytes: 500, takes: 1, seconds: 0.5 },
  { rate: 1024 ** 2, bytes: 2 ** 20, takes: 30, seconds: 30 },
  { rate: 50 * 1024 ** 2, bytes: 2 ** 20, takes: 100, seconds: 2 },
])('at $rate bytes a second, $takes times $bytes bytes take $seconds s', async ({ rate, bytes, takes, seconds }) => {
  const clock = clockOfItsOwn();
  const began = clock.time;
  const throttle = new Throttle(rate, clock);
  for (let times = 0; times < takes; times++) await throttle.take(bytes);
  expect((clock.time - began) / 1000).toBeCloseTo(seconds, 6);
});

test('time in which nothing was taken may be made up for', async () => {
  const clock = clockOfItsOwn();
  const throttle = new Throttle(1000, clock);
  clock.time += 2000;
  const late = clock.time;
  await throttle.take(2000);
  expect(clock.time).toBe(late);
  await throttle.take(1000);
  expect(clock.time - late).toBeCloseTo(1000, 6);
});
