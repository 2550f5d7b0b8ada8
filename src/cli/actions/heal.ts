import type { ObjectStore, HealReport, ObjectHealth, Scope } from '../../index.ts';
import { printAdvice, resumable } from '../terminal/advice.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { printWarnings } from '../terminal/failure.ts';
import { formatBytes, plural, printable } from '../terminal/format.ts';
import { HealthPrinter, healthExitCode } from '../terminal/health-report.ts';
import type { Io } from '../terminal/io.ts';
import { openStore } from '../input/open-store.ts';
import type { CommonOptions } from '../input/options.ts';
import { startProgress } from '../terminal/progress.ts';
import { warnOfKept } from './gc.ts';
import { isBarInTheWay, parseScope, refuseNothing } from './verify.ts';

export interface HealCommandOptions extends CommonOptions {
  dryRun?: true;
  allowStale?: true;
  /** Bytes a second. */
  rate?: number;
}

/** Things that were in the way and are named; where there are more, their number. */
const SHOWN = 10;

/** Heals everything, or what is in a bucket or below a prefix. */
export async function runHeal(address: string | undefined, options: HealCommandOptions, io: Io): Promise<number> {
  const scope = parseScope(address);
  return healAndReport(await openStore(options, io), scope, options, io);
}

/** Heals, tells what was done and how everything is then, and gives the exit code. */
export async function healAndReport(
  store: ObjectStore,
  scope: Scope,
  options: HealCommandOptions,
  io: Io,
): Promise<number> {
  const dryRun = options.dryRun === true;
  const printer = new HealthPrinter(io, { json: options.json === true, quick: false });
  const plan = new Plan();
  const progress = await startProgress(io.stderr, dryRun ? 'look' : 'heal', undefined, isBarInTheWay(options, io));
  try {
    const onObject = async (health: ObjectHealth): Promise<void> => {
      plan.add(health);
      await printer.object(health);
    };
    const watch = { signal: io.signal, onTotal: progress.setTotal, onBytes: progress.add, onObject };
    const { allowStale, rate } = options;
    const report = await resumable(io, progress, () => store.heal({ ...scope, dryRun, allowStale, rate, ...watch }));
    progress.stop();
    await printer.flush();
    if (report.settled === 0) refuseNothing(report, scope);
    if (options.json !== true)
      for (const line of dryRun ? plan.describe(report) : describeDone(report)) await io.stdout.line(printable(line));
    await printWarnings(report.failed, io);
    if (report.gc !== undefined) await warnOfKept(report.gc, io);
    await printer.total(report, { dryRun });
    await printAdvice(store, report, io);
    const exitCode = healthExitCode(report);
    return exitCode === EXIT.done && report.failed.length > 0 ? EXIT.failed : exitCode;
  } finally {
    progress.stop();
    await printer.flush();
  }
}

/** "Healed" is said only of what has been read back and counted. */
function describeDone(report: HealReport): string[] {
  const { rebuilt, rebuiltBytes, moved, movedBytes, settled, joined, setAside } = report;
  const lines: string[] = [];
  if (rebuilt > 0) lines.push(`healed ${plural(rebuilt, 'chunk')} (${formatBytes(rebuiltBytes)}), each read back`);
  if (moved > 0)
    lines.push(`moved ${plural(moved, 'chunk')} (${formatBytes(movedBytes)}) to other disks, each read back`);
  if (settled > 0) lines.push(`brought the copies of ${plural(settled, 'document')} into step`);
  for (const path of setAside.slice(0, SHOWN)) lines.push(`something stood in the way; it is ${path} now`);
  const more = setAside.length - SHOWN;
  if (more > 0) lines.push(`… and ${plural(more, 'thing')} more (--json tells all)`);
  lines.push(...describeSweep(report, 'removed'));
  for (const disk of joined) lines.push(`disk "${disk}" has got all metas, and counts from now on`);
  return lines.length === 0 ? [nothing(report)] : lines;
}

function nothing({ degraded, lost }: HealReport): string {
  return degraded + lost === 0 ? 'nothing to heal' : 'nothing could be mended';
}

function describeSweep({ gc }: HealReport, verb: string): string[] {
  const lines: string[] = [];
  if (gc === undefined) return lines;
  if (gc.leftoverChunks > 0)
    lines.push(`${verb} ${plural(gc.leftoverChunks, 'leftover chunk')} (${formatBytes(gc.leftoverBytes)})`);
  if (gc.stagedFiles + gc.tombstones > 0)
    lines.push(`${verb} ${plural(gc.stagedFiles, 'staged file')} and ${plural(gc.tombstones, 'tombstone')}`);
  return lines;
}

/** What a heal would do, from what is wrong with the objects. */
class Plan {
  #rebuild = 0;
  #move = 0;
  #waiting = 0;

  add({ state, problems }: ObjectHealth): void {
    if (state !== 'degraded') return;
    const chunks = problems.filter(({ part }) => part !== 'meta');
    const move = chunks.filter((problem) => problem.state === 'leaving').length;
    const offline = chunks.filter((problem) => problem.state === 'offline').length;
    this.#move += move;
    this.#waiting += offline;
    this.#rebuild += chunks.length - move - offline;
  }

  describe(report: HealReport): string[] {
    const lines: string[] = [];
    if (this.#rebuild > 0) lines.push(`would rebuild ${plural(this.#rebuild, 'chunk')}`);
    if (this.#move > 0) lines.push(`would move ${plural(this.#move, 'chunk')} to other disks`);
    if (report.settled > 0) lines.push(`would bring the copies of ${plural(report.settled, 'document')} into step`);
    lines.push(...describeSweep(report, 'would remove'));
    if (this.#waiting > 0)
      lines.push(`could not rebuild ${plural(this.#waiting, 'chunk')} while their disks are offline`);
    return lines.length === 0 ? [nothing(report)] : lines;
  }
}
