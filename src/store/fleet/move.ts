import { Throttle } from '../../concurrency/throttle.ts';
import { diskFault, throwIfAborted } from '../../errors.ts';
import type { StoreContext } from '../protocol/context.ts';
import { Operation } from '../protocol/operation.ts';
import { mend } from '../health/mend.ts';
import type { Relocation } from '../health/relocation.ts';
import { Walk } from '../protocol/walk.ts';
import type { DiskView } from '../../disks/disk-set.ts';

export interface MoveOptions {
  /** Bytes a second, read and written, at most. */
  rate?: number | undefined;
  signal?: AbortSignal | undefined;
  /** Called with the size of every chunk and parity chunk that has been moved, or could not be. */
  onBytes?: ((bytes: number) => void) | undefined;
}

/** Chunks and parity chunks that were moved to other disks, and read back there. */
export interface MoveReport {
  moved: number;
  movedBytes: number;
  /** What could not be moved, in words. */
  failed: string[];
}

/** Moves what a policy wants moved, object by object. What has been moved when it is interrupted stays moved. */
export async function moveAll(
  context: StoreContext,
  options: MoveOptions,
  makePolicy: (view: DiskView) => Promise<Relocation>,
): Promise<MoveReport> {
  return Operation.run(context, { signal: options.signal }, async ({ view }) => {
    const report: MoveReport = { moved: 0, movedBytes: 0, failed: [] };
    const { rate, signal, onBytes } = options;
    const relocate = await makePolicy(view);
    const moves = { throttle: new Throttle(rate), movesOnly: true, relocate, signal, onBytes };
    // What only other disks know of may have to be moved too.
    const walk = new Walk(context, view, {}, { onTooFew: ({ message }) => report.failed.push(message) });
    await walk.forEach(async ({ bucket, key }) => {
      throwIfAborted(signal);
      try {
        const { health, moved, movedBytes, failed } = await mend(context, bucket, key, moves);
        report.moved += moved;
        report.movedBytes += movedBytes;
        report.failed.push(...failed);
        // What its meta would have said is unknown.
        if (health !== undefined && health.version === undefined)
          report.failed.push(health.problems[0]?.reason ?? `the meta of ${bucket}/${key} cannot be read`);
      } catch (error) {
        // One object that can't be moved must not keep the others waiting.
        report.failed.push(diskFault(error).message);
      }
    });
    return report;
  });
}
