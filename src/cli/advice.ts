import type { HealthReport, ObjectStore } from '../index.ts';
import { printNote } from './failure.ts';
import { healthExitCode } from './health-report.ts';
import { EXIT } from './exit-codes.ts';
import type { Io } from './io.ts';

/** Says on standard error what a person can do about what is not whole: about disks that are away first. */
export async function printAdvice(store: ObjectStore, report: HealthReport, io: Io, otherwise?: string): Promise<void> {
  if (healthExitCode(report) === EXIT.done) return;
  for (const { disk, state } of await store.disks()) {
    if (state.status === 'online') continue;
    const way = state.status === 'swapped' ? 'put the folders back in their places' : `bring it back, or, if it is lost, "store disk replace ${disk}"`;
    await printNote(`disk "${disk}" is ${state.status} (${state.reason}): ${way}`, io);
  }
  if (report.lost > 0) await printNote('lost objects need their disks back, or must be uploaded again or deleted', io);
  if (otherwise !== undefined && report.degraded + report.buckets > 0) await printNote(otherwise, io);
}
