import { expect, test } from 'vitest';
import { Throttle } from '../../src/concurrency/throttle.ts';

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
