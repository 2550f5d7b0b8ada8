import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Operation, Outcome } from './operations.ts';

/** How workers are started. */
export interface Program {
  script: string;
  library: string;
  root: string;
}

/** Only a fault can make an operation this long. */
const LIMIT_MS = 120_000;

/** A process that works on the store. It can be killed at any time, and then another one takes its place. */
export class Worker {
  readonly #program: Program;
  #child: ChildProcess | undefined;
  readonly #waiting = new Map<number, (outcome: Outcome | 'killed') => void>();
  #count = 0;
  #clock = 0;

  constructor(program: Program) {
    this.#program = program;
  }

  get isIdle(): boolean {
    return this.#waiting.size === 0;
  }

  /** Milliseconds by which its clock is ahead. */
  get clock(): number {
    return this.#clock;
  }

  /** Also of the processes that come after it. */
  setClock(milliseconds: number): void {
    this.#clock = milliseconds;
    const operation: Operation = { do: 'set clock', milliseconds };
    this.#child?.stdin?.write(`${JSON.stringify({ number: this.#count++, operation })}\n`);
  }

  /** Starts its process, if there is none: otherwise the first operation does. */
  start(): void {
    this.#child ??= this.#start();
  }

  /** Resolves to what came of it; `killed` if the process was killed before it told. */
  async do(operation: Operation): Promise<Outcome | 'killed'> {
    const child = (this.#child ??= this.#start());
    const number = this.#count++;
    child.stdin?.write(`${JSON.stringify({ number, operation })}\n`);
    let limit: NodeJS.Timeout | undefined;
    const hung = new Promise<Outcome>((resolve) => {
      limit = setTimeout(() => {
        resolve({ problem: `no answer for ${LIMIT_MS / 1000} s` });
      }, LIMIT_MS);
    });
    const answered = new Promise<Outcome | 'killed'>((resolve) => this.#waiting.set(number, resolve));
    try {
      return await Promise.race([answered, hung]);
    } finally {
      clearTimeout(limit);
    }
  }

  /** Kills the process, whatever it is doing. Resolves when it is dead. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const over = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await over;
  }

  #start(): ChildProcess {
    const { script, library, root } = this.#program;
    const child = spawn(process.execPath, [script, library, root, String(this.#clock)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let errors = '';
    child.stderr.on('data', (data: Buffer) => (errors += data.toString('utf8')));
    child.stdin.on('error', () => undefined);
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { number, outcome } = JSON.parse(line) as { number: number; outcome: Outcome };
      this.#waiting.get(number)?.(outcome);
      this.#waiting.delete(number);
    });
    child.once('close', (code, signal) => {
      if (this.#child === child) this.#child = undefined;
      const outcome = signal === 'SIGKILL' ? 'killed' : { problem: `the process ended (${code ?? signal}): ${errors}` };
      for (const [number, resolve] of this.#waiting) {
        this.#waiting.delete(number);
        resolve(outcome);
      }
    });
    return child;
  }
}
