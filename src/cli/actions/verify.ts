import type { HealthReport, ObjectStore, Scope } from '../../index.ts';
import { noSuchPrefix, parseAddress } from '../input/address.ts';
import { printAdvice } from '../terminal/advice.ts';
import { HealthPrinter, healthExitCode } from '../terminal/health-report.ts';
import type { Io } from '../terminal/io.ts';
import { openStore } from '../input/open-store.ts';
import type { CommonOptions } from '../input/options.ts';
import { startProgress } from '../terminal/progress.ts';

export interface VerifyCommandOptions extends CommonOptions {
  quick?: true;
}

/** Looks at everything, or at what is in a bucket or below a prefix. */
export async function runVerify(address: string | undefined, options: VerifyCommandOptions, io: Io): Promise<number> {
  const scope = parseScope(address);
  const store = await openStore(options, io);
  const quick = options.quick === true;
  const printer = new HealthPrinter(io, { json: options.json === true, quick });
  const isHidden = isBarInTheWay(options, io);
  const total = quick || isHidden || !io.stderr.isTerminal ? undefined : await countBytes(store, scope, io.signal);
  const progress = await startProgress(io.stderr, 'verify', total, isHidden);
  try {
    const watch = { signal: io.signal, onObject: printer.object, onBytes: progress.add };
    const report = await store.verify({ ...scope, quick, ...watch });
    progress.stop();
    await printer.flush();
    refuseNothing(report, scope);
    await printer.total(report, { quick });
    await printAdvice(store, report, io, '"store heal" mends what can be mended');
    return healthExitCode(report);
  } finally {
    progress.stop();
    // What was found until it was interrupted is worth knowing.
    await printer.flush();
  }
}

/** @throws BAD_BUCKET_NAME */
export function parseScope(address: string | undefined): Scope {
  if (address === undefined) return {};
  const { bucket, key } = parseAddress(address);
  return { bucket, prefix: key };
}

/** A prefix that no key begins with is most likely a mistake. @throws NO_SUCH_KEY */
export function refuseNothing({ objects }: HealthReport, { bucket, prefix }: Scope): void {
  if (objects > 0 || bucket === undefined || prefix === undefined || prefix === '') return;
  throw noSuchPrefix(bucket, prefix);
}

/** Lines that are written as they come, one an object, leave no place for a bar on the same terminal. */
export function isBarInTheWay({ json }: { json?: true }, io: Io): boolean {
  return json === true && io.stdout.isTerminal;
}

/** How much there is to read. */
async function countBytes(store: ObjectStore, scope: Scope, signal: AbortSignal): Promise<number> {
  return (await store.usage({ ...scope, signal })).reduce((sum, { used }) => sum + used, 0);
}
