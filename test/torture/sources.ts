import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** The bytes in pieces, some time apart, so that much can happen while they go in. */
export function trickle(content: Buffer): Readable {
  const piece = Math.max(1, Math.ceil(content.length / 4));
  return Readable.from(
    (async function* () {
      for (let at = 0; at < content.length; at += piece) {
        await sleep(60);
        yield content.subarray(at, at + piece);
      }
    })(),
  );
}

/** What an upload that is held back, and those who wait for it, have in common. Either may come first. */
class Hold {
  reach: () => void = () => undefined;
  release: () => void = () => undefined;
  /** Resolves when the upload has begun and waits. */
  readonly reached = new Promise<void>((resolve) => (this.reach = resolve));
  readonly released = new Promise<void>((resolve) => (this.release = resolve));
}

const holds = new Map<number, Hold>();

/** Of the upload of this seed. */
export function holdOf(seed: number): Hold {
  const hold = holds.get(seed) ?? new Hold();
  holds.set(seed, hold);
  return hold;
}

/** The bytes up to `at`, and the rest only when the hold is released. */
export function holdBack(seed: number, content: Buffer, at: number): Readable {
  const hold = holdOf(seed);
  return Readable.from(
    (async function* () {
      if (at > 0) yield content.subarray(0, at);
      hold.reach();
      await hold.released;
      if (at < content.length) yield content.subarray(at);
    })(),
  );
}
