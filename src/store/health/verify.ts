import type { StoreContext } from '../protocol/context.ts';
import { examine, examineDocuments, examineSlice } from './examine.ts';
import { Tally, type HealthReport, type ObjectHealth } from './diagnosis.ts';
import { GOES_ON, Walk, type Scope, type WalkedKey } from '../protocol/walk.ts';

export interface VerifyOptions extends Scope {
  /** Look only whether files are there and as long as they should be. */
  quick?: boolean | undefined;
  signal?: AbortSignal | undefined;
  /** Called with each object's health, in the order of buckets and keys. */
  onObject?: ((health: ObjectHealth) => Promise<void> | void) | undefined;
  /** Called with the size of every chunk and parity chunk that has been looked at. */
  onBytes?: ((bytes: number) => void) | undefined;
}

/**
 * Reads every chunk, parity chunk and meta copy of every object of a scope, and compares each with its checksum.
 * Changes nothing. Objects that come or go meanwhile may or may not be in the report. What can't be read, a folder of metas
 * too, is in the report and doesn't keep the rest out of it.
 * @throws NO_SUCH_BUCKET, TOO_FEW_DISKS_TO_READ
 */
export async function verify(context: StoreContext, options: VerifyOptions): Promise<HealthReport> {
  const view = await context.lookForReading();
  const tally = new Tally();
  const onBytes = (bytes: number): void => {
    tally.addBytes(bytes);
    options.onBytes?.(bytes);
  };
  const look = ({ bucket, key }: WalkedKey): Promise<ObjectHealth | undefined> =>
    examine(context, bucket, key, { quick: false, signal: options.signal, onBytes });
  const report = async (health: ObjectHealth | undefined): Promise<void> => {
    if (health === undefined) return;
    tally.add(health);
    await options.onObject?.(health);
  };
  const walk = new Walk(context, view, options, GOES_ON);
  for await (const health of examineDocuments(context, view, walk, options.signal)) await report(health);
  if (options.quick === true) {
    const { signal } = options;
    const slices = walk.mapMetas((slice) => examineSlice(context, view, slice, { signal, onBytes }));
    for await (const healths of slices) for (const health of healths) await report(health);
  } else {
    for await (const health of walk.map(look)) await report(health);
  }
  return tally.report(walk.unreadable.all());
}
