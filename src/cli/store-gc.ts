import { ObjectStore } from '../index.ts';
import { EXIT } from './exit-codes.ts';
import { printWarning } from './failure.ts';
import { formatBytes, plural } from './format.ts';
import type { Io } from './io.ts';
import type { GcCommandOptions } from './store-command.ts';

/** Reclaims leftovers, and tells what it did. */
export async function runGc(options: GcCommandOptions, io: Io): Promise<number> {
  const store = await ObjectStore.open(options.root);
  const dryRun = options.dryRun === true;
  const report = await store.gc({ dryRun });
  const exitCode = report.failed.length === 0 ? EXIT.done : EXIT.failed;
  for (const reason of report.failed) await printWarning(reason, io);
  if (options.json === true) {
    await io.stdout.json({ dryRun, ...report });
    return exitCode;
  }
  const remove = dryRun ? 'would remove' : 'removed';
  const lines = [
    `${remove} ${plural(report.leftoverChunks, 'leftover chunk')} (${formatBytes(report.leftoverBytes)})`,
    `${remove} ${plural(report.stagedFiles, 'staged file')} and ${plural(report.tombstones, 'tombstone')}`,
  ];
  if (report.settled > 0) lines.push(`${dryRun ? 'would bring' : 'brought'} the copies of ${plural(report.settled, 'document')} into step`);
  if (report.inUse > 0) lines.push(`left alone ${plural(report.inUse, 'version')} in use`);
  for (const line of lines) await io.stdout.line(line);
  for (const reason of report.kept) await printWarning(`leftover chunks are kept: ${reason}`, io);
  return exitCode;
}
