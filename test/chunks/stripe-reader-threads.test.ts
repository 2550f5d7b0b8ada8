import { createHash } from 'node:crypto';
import type * as Os from 'node:os';
import { setImmediate as turn } from 'node:timers/promises';
import type * as Threads from 'node:worker_threads';
import { beforeAll, expect, test, vi } from 'vitest';
import { sha256 } from '../../src/chunks/sha256.ts';
import { StripeReader } from '../../src/chunks/stripe-reader.ts';
import type { Disk } from '../../src/disks/disk.ts';
import { alignedBuffers } from '../../src/memory/aligned.ts';
import { freshBuffers } from '../../src/memory/buffer-pool.ts';
import { shardsOf, type ShardEntry } from '../../src/metadata/stripes.ts';
import { patient } from '../disks/patient.ts';
import { Dice } from '../support/shards.ts';
import { MIB } from '../support/store.ts';
import { CountingPool } from '../memory/counting-pool.ts';
import { LOSSES, SampleObject, type Loss } from './sample-object.ts';

/** How long a thread takes for a hash. */
const thread = vi.hoisted(() => ({ delay: (): Promise<void> => Promise.resolve(), hashes: 0 }));

vi.mock('node:os', async (original) => ({ ...(await original<typeof Os>()), availableParallelism: () => 2 }));
vi.mock('node:worker_threads', async (original) => {
  const { EventEmitter } = await import('node:events');
  class Worker extends EventEmitter {
    #turn: Promise<void> = Promise.resolve();
    ref = vi.fn();
    unref = vi.fn();
    postMessage(job: { memory: ArrayBufferLike; from: number; length: number }, moved: ArrayBuffer[]): void {
      thread.hashes++;
      const { memory, from, length } = structuredClone(job, { transfer: moved });
      this.#turn = this.#turn.then(thread.delay).then(() => {
        const sha256 = createHash('sha256')
          .update(new Uint8Array(memory, from, length))
          .digest('hex');
        this.emit('message', { sha256, memory });
      });
    }
  }
  return { ...(await original<typeof Threads>()), Worker };
});

/** Enough for a thread to be asked. */
const SIZE = 260 * 1024;

beforeAll(async () => {
  for (const buffer of alignedBuffers(10, MIB)) await sha256(buffer);
});

async function turns(count: number): Promise<void> {
  for (let done = 0; done < count; done++) await turn();
}

test('a chunk that has come and is being hashed is not taken for late, nor its disk for slow', async () => {
  const object = new SampleObject('2+1', [SIZE, SIZE]);
  const { online } = await object.disks();
  const [chunk] = object.stripe(0).chunks;
  let reads = 0;
  for (const disk of online) {
    const read = disk.read.bind(disk);
    disk.read = (...args) => {
      reads++;
      return read(...args);
    };
  }
  const onRebuilt = vi.fn();
  const reader = new StripeReader(
    object.meta,
    { online: online.map((disk) => patient(disk, { late: 1 })), offline: [] },
    { buffers: new CountingPool(), onRebuilt },
  );
  // Longer than a chunk is waited for.
  thread.delay = () => new Promise((resolve) => setTimeout(resolve, 20));
  for (let again = 1; again <= 2; again++) {
    const bytes = await reader.read(object.stripe(0), chunk === undefined ? [] : [chunk], (chunks) =>
      Buffer.concat(chunks),
    );
    expect(bytes.equals(object.bytes.subarray(0, SIZE))).toBe(true);
    expect(reads).toBe(again);
  }
  expect(onRebuilt).not.toHaveBeenCalled();
});

/** Buffers that can be moved to a thread and back, and are nobody else's. */
class FreshPool extends CountingPool {
  override take = (size: number): Buffer => freshBuffers.take(size);
  override give = (): void => undefined;
}

test.each([CountingPool, FreshPool])(
  'whenever reads and hashes come, with as many losses as there is parity for, the bytes are right and every buffer comes back: %o',
  { timeout: 60_000 },
  async (Pool) => {
    const dice = new Dice();
    thread.delay = () => turns(dice.roll(20));
    thread.hashes = 0;
    let rebuilt = 0;
    const losses = LOSSES.filter((loss) => loss !== 'offline');
    for (const [redundancy, data, parity] of [
      ['2+1', 2, 1],
      ['2+2', 2, 2],
      ['4+2', 4, 2],
    ] as const) {
      const object = new SampleObject(
        redundancy,
        Array.from({ length: 3 * data }, () => SIZE),
      );
      for (let round = 0; round < 12; round++) {
        const hurt = object.stripes.flatMap((stripe) => dice.some(shardsOf(stripe), dice.roll(parity + 1)));
        const lost = new Map<ShardEntry, Loss>(
          hurt.map((shard) => [shard, dice.roll(5) < 3 ? 'corrupt' : dice.pick(losses)]),
        );
        const { online } = await object.disks(lost);
        for (const disk of online) delayReads(disk, () => turns(dice.roll(dice.roll(3) === 0 ? 40 : 2)));
        const pool = new Pool();
        const reader = new StripeReader(
          object.meta,
          { online: online.map((disk) => patient(disk, { late: 1 })), offline: [] },
          { buffers: pool, onRebuilt: () => rebuilt++ },
        );
        await Promise.all(
          object.stripes.map(async (stripe) => {
            const bytes = await reader.read(stripe, stripe.chunks, async (chunks) => {
              await turns(dice.roll(6));
              return Buffer.concat(chunks);
            });
            expect(bytes.equals(object.bytesOf(stripe.chunks))).toBe(true);
          }),
        );
        // A read that nobody waits for any more may still be on its way.
        while (pool.lent > 0) await turn();
      }
    }
    expect(rebuilt).toBeGreaterThan(0);
    expect(thread.hashes).toBeGreaterThan(0);
  },
);

function delayReads(disk: Disk, delay: () => Promise<void>): void {
  const read = disk.read.bind(disk);
  disk.read = async (...args) => {
    await delay();
    return read(...args);
  };
}
