import type { Io, Output } from './io.ts';

/** How long a call that is about to return is waited for. */
const LAST_CALLS_MS = 1000;

let callsUnderWay: () => number = () => 0;

/** Tells how to count the calls to disks that have not returned. (The store is loaded only by commands that act.) */
export function watchCalls(count: () => number): void {
  callsUnderWay = count;
}

/**
 * Ends the process once everything is written. By itself it would not end as long as a call to a disk hangs, nor would
 * `process.exit`, which waits for Node's threads; so then it is the system that ends it, with the same exit code.
 */
export async function leave(exitCode: number, { stdout, stderr }: Io): Promise<void> {
  process.exitCode = exitCode;
  for (let waited = 0; callsUnderWay() > 0; waited += 10) {
    if (waited >= LAST_CALLS_MS) return leaveNow(exitCode, [stdout, stderr]);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function leaveNow(exitCode: number, outputs: readonly Output[]): Promise<never> {
  await Promise.all(outputs.map(flush));
  try {
    const { DataType, load, open } = await import('ffi-rs');
    open({ library: '', path: '' });
    load({
      library: '',
      funcName: '_exit',
      retType: DataType.Void,
      paramsType: [DataType.I32],
      paramsValue: [exitCode],
    });
  } catch {
    // There is no such package for this system.
  }
  // Without an exit code, but not without an end.
  process.kill(process.pid, 'SIGKILL');
  throw new Error('the process is still there');
}

function flush({ stream, broken }: Output): Promise<void> {
  if (broken) return Promise.resolve();
  return new Promise((resolve) => {
    stream.once('close', resolve).once('error', resolve);
    stream.write('', () => {
      resolve();
    });
  });
}
