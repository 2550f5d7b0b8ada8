import { isStoreError, type DiskStatus, type HealthReport, type ObjectStore } from '../../index.ts';
import { printNote } from './failure.ts';
import { healthExitCode } from './health-report.ts';
import { EXIT } from './exit-codes.ts';
import type { Io } from './io.ts';
import type { Progress } from './progress.ts';

/** Says on standard error what a person can do about what is not whole: about disks that are away first. */
export async function printAdvice(store: ObjectStore, report: HealthReport, io: Io, otherwise?: string): Promise<void> {
  if (healthExitCode(report) === EXIT.done) return;
  for (const { disk, state } of await store.disks()) {
    if (state.status !== 'online')
      await printNote(`disk "${disk}" is ${state.status} (${state.reason}): ${adviceFor(disk, state.status)}`, io);
  }
  for (const disk of new Set(report.unreadable.map((folder) => folder.disk))) {
    const what = `disk "${disk}" is there, but cannot read all of its folders: "store heal" mends what it can`;
    await printNote(`${what}; if the disk is failing, "store disk replace ${disk} <path of an empty folder>"`, io);
  }
  if (report.lost > 0) await printNote('lost objects need their disks back, or must be uploaded again or deleted', io);
  if (otherwise !== undefined && report.degraded + report.buckets > 0) await printNote(otherwise, io);
}

/** Runs what may be interrupted and run again; where it is interrupted, says so after the bar has ended. */
export async function resumable<T>(io: Io, progress: Progress, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    progress.stop();
    if (isStoreError(error, 'ABORTED'))
      await printNote('interrupted; what has been done stays, and the same command goes on from there', io);
    throw error;
  }
}

/** What a person can do about a disk that is not online. */
export function adviceFor(disk: string, status: DiskStatus): string {
  const isLost = `or, if it is lost, "store disk replace ${disk}`;
  if (status === 'swapped') return 'put the folders back in their places';
  if (status === 'former')
    return `bring back the one that replaced it, or take this one back with "store disk replace ${disk}"`;
  if (status === 'unmarked') return `the README says how to write its mark again; ${isLost} <path of an empty folder>"`;
  return `bring it back, ${isLost}"`;
}
