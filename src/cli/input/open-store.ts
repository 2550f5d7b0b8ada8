import { callsUnderWay, ObjectStore, type OpenOptions, type WaitOptions } from '../../index.ts';
import { printable } from '../terminal/format.ts';
import { UsageError } from '../terminal/failure.ts';
import type { Io } from '../terminal/io.ts';
import { watchCalls } from '../terminal/leave.ts';
import { PATIENCE_VARIABLE, type CommonOptions } from './options.ts';

/** Opens a command's store. @throws what `ObjectStore.open` throws */
export function openStore(options: CommonOptions, io: Io, more: OpenOptions = {}): Promise<ObjectStore> {
  return ObjectStore.open(options.root, { ...more, ...waitOptions(options, io) });
}

/** How a command waits for disks and others: it says so, and waits no longer than it has to once it is interrupted. */
export function waitOptions({ quiet }: CommonOptions, io: Io): WaitOptions {
  watchCalls(callsUnderWay);
  const said = new Set<string>();
  const onWait = (what: string): void => {
    if (quiet === true || said.has(what) || io.signal.aborted) return;
    said.add(what);
    // A bar may stand in the line.
    void io.stderr.line(`${io.stderr.isTerminal ? '\r\u001b[K' : ''}${printable(what)} …`);
  };
  return { patience: patienceFrom(io), onWait, signal: io.signal };
}

function patienceFrom(io: Io): number | undefined {
  const text = io.env[PATIENCE_VARIABLE] ?? '';
  if (text === '') return undefined;
  const seconds = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || seconds === 0)
    throw new UsageError(`${PATIENCE_VARIABLE} must be a number of seconds, such as 5 or 0.5`);
  return seconds * 1000;
}
