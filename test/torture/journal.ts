import { describeOutcome, type Operation, type Outcome } from './operations.ts';

/** Lines that are kept: of the coordinator's steps, and of each key's history. */
const HISTORY = 200;

export interface TortureReport {
  /** How often each operation was done. */
  operations: Record<string, number>;
  rounds: number;
  /** Disks that were hurt. */
  hurt: number;
  killed: number;
  /** How often what must be survived has come about. */
  circumstances: Record<string, number>;
  /** Errors of operations that were excused. */
  failures: Record<string, number>;
}

/** What must never be, and what led to it. */
export class TortureError extends Error {
  constructor(problem: string, seed: number, root: string, history: readonly string[], events: readonly string[]) {
    const parts = [`torture with seed ${seed} failed: ${problem}`, `the store is in ${root}`];
    parts.push(`the coordinator's last steps:\n${events.join('\n')}`, `the history of the key:\n${history.join('\n')}`);
    super(parts.join('\n\n'));
  }
}

/** What has happened, so that a failure can tell what led to it. */
export class Journal {
  readonly report: TortureReport = { operations: {}, rounds: 0, hurt: 0, killed: 0, circumstances: {}, failures: {} };
  readonly #seed: number;
  readonly #root: string;
  readonly #log: ((line: string) => void) | undefined;
  readonly #began = Date.now();
  readonly #events: string[] = [];
  readonly #histories = new Map<string, string[]>();

  constructor(seed: number, root: string, log?: (line: string) => void) {
    this.#seed = seed;
    this.#root = root;
    this.#log = log;
  }

  /** The time since the beginning, as lines tell it. */
  time(): string {
    return `${Date.now() - this.#began} ms`;
  }

  /** A step of the coordinator. */
  note(event: string): void {
    const line = `${this.time()} ${event}`;
    this.#events.push(line);
    if (this.#events.length > HISTORY) this.#events.shift();
    this.#log?.(line);
  }

  /** Something that was done to a key. */
  remember(address: string, line: string, outcome: Outcome | 'killed'): void {
    const history = this.#histories.get(address) ?? [];
    this.#histories.set(address, history);
    history.push(`${line}: ${tell(outcome)}`);
    if (history.length > HISTORY) history.shift();
  }

  /** Something that must be survived has come about. */
  encounter(circumstance: string): void {
    const { circumstances } = this.report;
    circumstances[circumstance] = (circumstances[circumstance] ?? 0) + 1;
  }

  count(operation: Operation, outcome: Outcome | 'killed'): void {
    const { operations, failures } = this.report;
    operations[operation.do] = (operations[operation.do] ?? 0) + 1;
    if (outcome === 'killed' || outcome.error === undefined) return;
    const failure = `${operation.do}: ${outcome.error.code}`;
    failures[failure] = (failures[failure] ?? 0) + 1;
  }

  /** @param address the key that it is about */
  failure(problem: string, address?: string): TortureError {
    const history = address === undefined ? [] : (this.#histories.get(address) ?? []);
    return new TortureError(problem, this.#seed, this.#root, history, this.#events);
  }
}

export function tell(outcome: Outcome | 'killed'): string {
  return outcome === 'killed' ? 'killed' : describeOutcome(outcome);
}
