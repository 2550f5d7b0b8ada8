import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import * as path from 'node:path';
import pMap from 'p-map';
import { expect } from 'vitest';
import { compiledDoor, PROJECT, sourceDoor } from '../support/build.ts';
import { compiledLibrary, compileScripts } from '../support/processes.ts';
import { NEW, type Runnable } from './crash-scenarios.ts';
import { BALLAST, findPoints, labelOf, type Point } from './strace-points.ts';
import { STATE_CALLS, traceNode, type Call, type Traced } from './strace.ts';

/** How many commands run at once: strace and what it traces take turns, so one of each pair a core is enough. */
const AT_ONCE = Math.max(2, availableParallelism());

/** Each command has a limit of its own; this one is for all the commands of one test, on a busy machine. */
export const LIMIT_MS = 900_000;

/** The order of calls can differ a little from run to run; a point that was missed is tried again. */
const TRIES = 8;

/** Failures that are shown in full. */
const SHOWN = 10;

/** A fault that struck where it was meant to, and what it left. */
export interface Struck {
  root: string;
  /** A folder for the test's own use, removed after the check. */
  folder: string;
  ended: Traced;
  /** The call that was struck. */
  call: Call;
}

export interface Fault {
  point: Point;
  /** In strace's words, without the system call and `when=`: `error=EIO`. */
  what: string;
  /** Also at every later call of that name. */
  persistent?: boolean;
}

/** A scenario's store, made once, of which every run gets a copy. */
export class Rig<S extends Runnable> {
  readonly scenario: S;
  readonly #work: string;
  readonly #template: string;
  readonly #input: string;
  readonly #entry: readonly string[];
  #runs = 0;

  private constructor(scenario: S, work: string, throughTsx: boolean) {
    this.scenario = scenario;
    this.#work = work;
    this.#template = path.join(work, 'template');
    this.#input = path.join(work, 'input');
    this.#entry = entryOf(scenario.door, work, throughTsx);
  }

  static async make<S extends Runnable>(scenario: S, work: string, throughTsx = false): Promise<Rig<S>> {
    const rig = new Rig(scenario, work, throughTsx);
    writeFileSync(rig.#input, NEW);
    await scenario.prepare(rig.#template);
    return rig;
  }

  /** Runs the command to its end, undisturbed, and tells where a fault can strike: at system calls of these names. */
  async runWhole(check?: (root: string) => Promise<void>, names: readonly string[] = STATE_CALLS): Promise<Point[]> {
    return this.#run(STATE_CALLS, undefined, async (folder, root, ended) => {
      expect(ended, `${ended.stderr}${ended.stdout}`).toMatchObject({ code: 0, signal: null });
      await check?.(root);
      return findPoints(ended.calls, folder, names, this.scenario.threads);
    });
  }

  /** Strikes with every fault in turn, each on a copy of the store, and checks what is left. @throws all that failed, in one */
  async strikeAll(faults: readonly Fault[], check: (struck: Struck, fault: Fault) => Promise<void>): Promise<void> {
    const failures: string[] = [];
    await pMap(
      faults,
      async (fault) => {
        try {
          await this.#strikeThere(fault, check);
        } catch (error) {
          failures.push(`${describeFault(fault)}: ${error instanceof Error ? error.message : String(error)}`);
        }
      },
      { concurrency: AT_ONCE },
    );
    if (failures.length === 0) return;
    const shown = failures.slice(0, SHOWN).join('\n\n');
    throw new Error(
      `${failures.length} of ${faults.length} faults in ${this.scenario.name} failed the test\n\n${shown}`,
    );
  }

  /** Strikes until the call that was struck is the one that was meant. */
  async #strikeThere(fault: Fault, check: (struck: Struck, fault: Fault) => Promise<void>): Promise<void> {
    const missed: string[] = [];
    for (let tries = 0; tries < TRIES; tries++) {
      const met = await this.#strike(fault, check);
      if (met === fault.point.label) return;
      missed.push(met);
    }
    throw new Error(`${TRIES} runs missed it and met ${missed.join(', ')}`);
  }

  /** @returns the label of the call that was struck, whether it is the one that was meant or not */
  async #strike(fault: Fault, check: (struck: Struck, fault: Fault) => Promise<void>): Promise<string> {
    const { point, what, persistent } = fault;
    const inject = `${point.syscall}:${what}:when=${point.ordinal}${persistent === true ? '+' : ''}`;
    // A sync that failed must not be tried again, so the calls that end a file's life are of interest too.
    const trace = point.syscall === 'fsync' ? ['fsync', 'fdatasync', 'unlink', 'unlinkat'] : [point.syscall];
    return this.#run(trace, inject, async (folder, root, ended) => {
      const call = ended.calls.find((candidate) => wasStruck(candidate, fault));
      if (call === undefined) return 'none';
      await check({ root, folder, ended, call }, fault);
      return labelOf(call, folder);
    });
  }

  async #run<T>(
    trace: readonly string[],
    inject: string | undefined,
    work: (folder: string, root: string, ended: Traced) => Promise<T>,
  ): Promise<T> {
    const folder = path.join(this.#work, `run-${this.#runs++}`);
    const root = path.join(folder, 'store');
    const log = `${folder}.log`;
    mkdirSync(folder);
    if (existsSync(this.#template)) cpSync(this.#template, root, { recursive: true });
    const nodeOptions = trace.includes('openat') ? BALLAST : [];
    const ended = await traceNode([...this.#entry, ...this.scenario.args(root, this.#input)], {
      trace,
      log,
      cwd: PROJECT,
      nodeOptions,
      ...(inject === undefined ? {} : { inject }),
    });
    const result = await work(folder, root, ended);
    rmSync(folder, { recursive: true });
    rmSync(log);
    return result;
  }
}

function entryOf(door: Runnable['door'], work: string, throughTsx: boolean): string[] {
  if (door === 'care')
    return [
      compileScripts(path.join(work, 'care'), [path.join(import.meta.dirname, 'care-script.ts')]),
      compiledLibrary(),
    ];
  return throughTsx ? ['--import', 'tsx', sourceDoor(door)] : [compiledDoor(door)];
}

/** A call that was made to fail carries a remark; one that met a kill never returned. */
function wasStruck(call: Call, { point, what }: Fault): boolean {
  if (!what.startsWith('signal=')) return call.result?.endsWith('(INJECTED)') === true;
  return call.name === point.syscall && call.ordinal === point.ordinal && call.result === undefined;
}

export function describeFault({ point, what, persistent }: Fault): string {
  return `${what} at ${point.label} (number ${point.ordinal}${persistent === true ? ' and later' : ''})`;
}
