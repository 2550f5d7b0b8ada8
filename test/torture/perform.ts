import type { Worker } from './fleet.ts';
import type { Journal } from './journal.ts';
import type { Judge, Sent } from './judge.ts';
import { describeOperation, type Operation, type Outcome } from './operations.ts';

interface Parts {
  judge: Judge;
  journal: Journal;
}

/** An operation that a worker is at. */
export interface Performing {
  sent: Sent;
  /** What came of it, once it is judged. Rejects with a TortureError. */
  outcome: Promise<Outcome | 'killed'>;
}

/** Sends a worker an operation; what comes of it is written down and judged. */
export function begin({ judge, journal }: Parts, worker: Worker, operation: Operation): Performing {
  const sent = judge.send(operation);
  const line = `${journal.time()} ${describeOperation(operation)}`;
  const conclude = async (): Promise<Outcome | 'killed'> => {
    const outcome = await worker.do(operation);
    if (sent.address !== undefined) journal.remember(sent.address, `${line} … ${journal.time()}`, outcome);
    journal.count(operation, outcome);
    if (outcome === 'killed') judge.lose(sent);
    else judge.judge(sent, outcome);
    return outcome;
  };
  const outcome = conclude();
  // Who began it may not have come to wait for it yet.
  outcome.catch(() => undefined);
  return { sent, outcome };
}

export async function perform(parts: Parts, worker: Worker, operation: Operation): Promise<Outcome | 'killed'> {
  return begin(parts, worker, operation).outcome;
}
