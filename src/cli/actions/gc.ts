import type { GcReport } from '../../index.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { printWarnings } from '../terminal/failure.ts';
import { formatBytes, plural, printable } from '../terminal/format.ts';
import type { Io } from '../terminal/io.ts';
import { openStore } from '../input/open-store.ts';
import type { CommonOptions } from '../input/options.ts';

export interface GcCommandOptions extends CommonOptions {
  dryRun?: true;
}

/** Reclaims leftovers, and tells what it did. */
export async function runGc(options: GcCommandOptions, io: Io): Promise<number> {
  const store = await openStore(options, io);
  const dryRun = options.dryRun === true;
  const report = await store.gc({ dryRun, signal: io.signal });
  if (options.json === true) await io.stdout.json({ dryRun, ...report });
  else await show(report, dryRun, io);
  const [first, ...more] = report.failed;
  if (first === undefined) return EXIT.done;
  const rest = more.length === 0 ? '' : ` (and ${plural(more.length, 'more failure')})`;
  await io.stderr.line(`error: ${printable(first)}${rest}`);
  return EXIT.failed;
}

/** Says why leftovers are kept. */
export async function warnOfKept({ kept }: GcReport, io: Io): Promise<void> {
  const warnings = kept.map((reason) => `leftover chunks are kept: ${reason}`);
  await printWarnings(warnings, io);
}

async function show(report: GcReport, dryRun: boolean, io: Io): Promise<void> {
  const remove = dryRun ? 'would remove' : 'removed';
  const lines = [
    `${remove} ${plural(report.leftoverChunks, 'leftover chunk')} (${formatBytes(report.leftoverBytes)})`,
    `${remove} ${plural(report.stagedFiles, 'staged file')} and ${plural(report.tombstones, 'tombstone')}`,
  ];
  if (report.settled > 0)
    lines.push(`${dryRun ? 'would bring' : 'brought'} the copies of ${plural(report.settled, 'document')} into step`);
  if (report.inUse > 0) lines.push(`left alone ${plural(report.inUse, 'upload')} in use`);
  for (const line of lines) await io.stdout.line(line);
  await warnOfKept(report, io);
}
