import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Setting } from './benchmark.ts';
import { run } from './process.ts';

/** After this time, free memory of a virtual machine has gone back to its host, if it goes at all. */
const REST_MS = 5000;

/**
 * Puts the machine into the same state before every turn, whoever's turn it is.
 *
 * `sync` writes out what is dirty. Then as much memory as the turn will fill the page cache with is touched and given
 * back: a virtual machine may hand free memory to its host, and taking it back costs several times what writing the
 * page costs. Without this, whoever happens to use such memory would pay for it. With `cold`, all do: the machine rests
 * until free memory has gone back.
 */
export async function level({ cold, signal }: Setting, mebibytes: number): Promise<void> {
  await run('sync', [], { signal });
  if (mebibytes === 0) return;
  if (cold) return sleep(REST_MS, undefined, { signal });
  const free = os.freemem() / 1024 ** 2;
  const pieces = Math.ceil(Math.min(mebibytes, free / 2) / 64);
  const touch = `Array.from({ length: ${pieces} }, () => Buffer.alloc(${64 * 1024 ** 2}, 1))`;
  await run('node', ['-e', touch], { signal });
}

/** Writes out what is dirty, and empties the page cache. @throws where the system does not allow that: it takes root on Linux */
export async function dropCaches(signal: AbortSignal): Promise<void> {
  await run('sync', [], { signal });
  await fs.writeFile('/proc/sys/vm/drop_caches', '3');
}
