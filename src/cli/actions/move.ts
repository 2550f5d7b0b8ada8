import type { MoveReport } from '../../index.ts';
import { resumable } from '../terminal/advice.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { printNote, printWarnings, UsageError } from '../terminal/failure.ts';
import { formatBytes, plural, printable } from '../terminal/format.ts';
import type { Io } from '../terminal/io.ts';
import { openStore } from '../input/open-store.ts';
import type { CommonOptions } from '../input/options.ts';
import { startProgress, type Progress } from '../terminal/progress.ts';

export interface MoveCommandOptions extends CommonOptions {
  /** Bytes a second. */
  rate?: number;
}

export interface DrainCommandOptions extends MoveCommandOptions {
  cancel?: true;
}

/** Moves everything off a disk, or with `--cancel` lets it take chunks again. */
export async function runDiskDrain(name: string, options: DrainCommandOptions, io: Io): Promise<number> {
  if (options.cancel === true && options.rate !== undefined) throw new UsageError('--rate does not go with --cancel');
  const store = await openStore(options, io);
  if (options.cancel === true) {
    const wasDraining = store.document.disks.some((disk) => disk.name === name && disk.role === 'draining');
    await store.cancelDrain(name, { signal: io.signal });
    const words = `disk "${name}" ${wasDraining ? 'takes chunks again' : 'was not being drained'}`;
    await io.stdout.result(options, { disk: name, draining: false }, printable(words));
    return EXIT.done;
  }
  const total = io.stderr.isTerminal
    ? (await store.usage({ signal: io.signal })).find(({ disk }) => disk === name)?.used
    : undefined;
  const report = await withProgress(io, `drain ${name}`, total, (progress) =>
    store.drainDisk(name, { rate: options.rate, signal: io.signal, onBytes: progress.add }),
  );
  const isEmpty = report.failed.length === 0;
  const next = isEmpty ? `"store disk remove ${name}" can follow` : 'not all could be moved';
  const words = printable(`moved ${describeMoved(report, ` off disk "${name}"`)}; ${next}`);
  await io.stdout.result(options, { disk: name, drained: isEmpty, ...report }, words);
  return finish(report, io);
}

/** Evens the disks out. */
export async function runRebalance(options: MoveCommandOptions, io: Io): Promise<number> {
  const store = await openStore(options, io);
  const report = await withProgress(io, 'rebalance', undefined, (progress) =>
    store.rebalance({ rate: options.rate, signal: io.signal, onBytes: progress.add }),
  );
  const isEven = report.moved === 0 && report.failed.length === 0;
  const words = isEven ? 'nothing to move: every disk has its share' : `moved ${describeMoved(report, '')}`;
  await io.stdout.result(options, report, words);
  return finish(report, io);
}

async function withProgress(
  io: Io,
  label: string,
  total: number | undefined,
  work: (progress: Progress) => Promise<MoveReport>,
): Promise<MoveReport> {
  const progress = await startProgress(io.stderr, printable(label), total, false);
  try {
    return await resumable(io, progress, () => work(progress));
  } finally {
    progress.stop();
  }
}

function describeMoved({ moved, movedBytes }: MoveReport, where: string): string {
  return `${plural(moved, 'chunk')} (${formatBytes(movedBytes)})${where}${moved === 0 ? '' : ', each read back'}`;
}

async function finish({ failed }: MoveReport, io: Io): Promise<number> {
  await printWarnings(failed, io);
  if (failed.length === 0) return EXIT.done;
  await printNote('what could not be moved is where it was; the command can be run again', io);
  return EXIT.failed;
}
