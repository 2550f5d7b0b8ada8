import { randomInt } from 'node:crypto';
import * as path from 'node:path';
import { compiledLibrary, compileScripts, start, type Running } from '../support/processes.ts';
import type { Answer, Task } from './races-worker.ts';

const SCRIPTS = ['races-worker.ts', 'races-content.ts'].map((name) => path.join(import.meta.dirname, name));

/** Processes that work on stores at the same time. */
export class Crew {
  readonly #workers: Worker[];

  private constructor(workers: Worker[]) {
    this.#workers = workers;
  }

  /** @param folder Where the workers' program may be put. */
  static start(folder: string, size: number): Crew {
    const [first = '', ...others] = SCRIPTS;
    const script = compileScripts(path.join(folder, 'worker'), [first, ...others]);
    return new Crew(Array.from({ length: size }, () => new Worker(script)));
  }

  /**
   * Has every task done by a process of its own, all at once. Those of `meanwhile` go on until the others are through.
   * @throws with everything that any of them says must never be
   */
  async run(tasks: readonly Task[], meanwhile: readonly Task[] = []): Promise<{ done: Answer[]; meanwhile: Answer[] }> {
    const background = meanwhile.map((task, index) => this.#worker(tasks.length + index).do(task));
    const done = await Promise.all(tasks.map((task, index) => this.#worker(index).do(task)));
    for (const index of meanwhile.keys()) this.#worker(tasks.length + index).stop();
    const beside = await Promise.all(background);
    const problems = [...done, ...beside].flatMap((answer) => answer.problems);
    if (problems.length > 0) throw new Error(`${problems.length} problems\n${problems.slice(0, 10).join('\n')}`);
    return { done, meanwhile: beside };
  }

  #worker(index: number): Worker {
    const worker = this.#workers[index];
    if (worker === undefined) throw new Error('the crew is too small');
    return worker;
  }
}

class Worker {
  readonly #running: Running;
  #answered = 0;

  constructor(script: string) {
    this.#running = start(process.execPath, [script, compiledLibrary()]);
  }

  /** Resolves with the answer. */
  async do(task: Task): Promise<Answer> {
    const answers = this.#answered++;
    this.#send(task);
    const line = await new Promise<string>((resolve, reject) => {
      const look = (): void => {
        const lines = this.#running.output().split('\n');
        const answer = lines[answers];
        if (answer !== undefined && lines.length > answers + 1) {
          this.#running.stdout?.off('data', look);
          resolve(answer);
        }
      };
      this.#running.stdout?.on('data', look);
      this.#running.ended.then(({ code, signal, stderr }) => {
        reject(new Error(`a worker ended (${code ?? signal}): ${stderr}`));
      }, reject);
    });
    return JSON.parse(line) as Answer;
  }

  stop(): void {
    this.#send('stop');
  }

  #send(message: Task | 'stop'): void {
    this.#running.stdin.write(`${JSON.stringify(message)}\n`);
  }
}

/** A number that all contents of a test follow from; it is printed, and `RACE_SEED` gives it again. */
export function raceSeed(): number {
  const given = process.env['RACE_SEED'];
  const seed = given === undefined ? randomInt(2 ** 30) : Number(given);
  console.log(`RACE_SEED=${seed}`);
  return seed;
}

/** So many seeds, from `base` on. */
export function seedsFrom(base: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => base + index);
}
