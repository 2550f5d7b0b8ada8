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

interface Hold {
  /** Resolves when the upload has begun and waits. */
  reached: Promise<void>;
  release: () => void;
}

/** Uploads that are held back, by their seeds. */
const holds = new Map<number, Hold>();

/** The bytes up to `at`, and the rest only when `release` is called. */
export function holdBack(seed: number, content: Buffer, at: number): Readable {
  let reach: () => void = () => undefined;
  let release: () => void = () => undefined;
  const reached = new Promise<void>((resolve) => (reach = resolve));
  const released = new Promise<void>((resolve) => (release = resolve));
  holds.set(seed, { reached, release });
  return Readable.from(
    (async function* () {
      if (at > 0) yield content.subarray(0, at);
      reach();
      await released;
      if (at < content.length) yield content.subarray(at);
    })(),
  );
}

/** @throws where no such upload has been sent */
export function holdOf(seed: number): Hold {
  const hold = holds.get(seed);
  if (hold === undefined) throw new Error(`no upload of seed ${String(seed)} is held back`);
  return hold;
}
