import { accessSync, constants, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import pMap from 'p-map';
import { Random } from '../../torture/random.ts';
import type { Ended } from '../strace.ts';
import { INPUTS, MANY, type Command } from './commands.ts';
import { anyPlan, describePlan, fixedPlans, makeFate, type Plan } from './fates.ts';
import { judge, type Mending } from './judge.ts';
import type { Scenario } from './scenario.ts';
import type { Step } from './steps.ts';
import { traceCommand } from './trace.ts';
import { readTree, sumOfTree, writeTree, type Tree } from './tree.ts';
import { VolatileFiles } from './volatile-files.ts';
import { World, type Effect } from './world.ts';

export interface SuiteOptions {
  /** A compiled build's folder. */
  program: string;
  /** For files of the run; must be there. */
  folder: string;
  seed: number;
  /** Random states for each run of a command, beside those at its end. */
  states: number;
  /** Moments at which a command is killed, for each scenario that kills one; all where it is Infinity. */
  kills: number;
}

/** A state that a power loss may leave, and that is wrong. */
export interface Failure {
  scenario: string;
  seed: number;
  problem: string;
  /** The commands, and where in the last of them the power went. */
  when: string;
  plan: string;
  lost: string[];
}

/** A folder in memory where there is one: nobody takes its power, and judging a state makes many syncs. */
export function quickFolder(): string {
  try {
    accessSync('/dev/shm', constants.W_OK);
    return '/dev/shm';
  } catch {
    return tmpdir();
  }
}

const STORE = 'store';
const AT_ONCE = 4;
/** Commands of which each call matters are killed at least so often. */
const THOROUGH = 8;
/** Positions in the logs of commands that follow one another must not meet. */
const LOG_LENGTH = 10_000_000;

const NAMES: ReadonlySet<Step['do']> = new Set(['mkdir', 'rmdir', 'rename', 'link', 'symlink', 'unlink']);

/** What has happened before a command. */
interface Past {
  steps: readonly Step[];
  world: World;
  /** In words. */
  story: string[];
  /** The numbers of the calls at which commands were killed: with the seed, they say what random numbers follow. */
  kills: number[];
}

/** Runs scenarios and judges the states that a power loss may leave. */
export class Suite {
  readonly #options: SuiteOptions;
  readonly failures: Failure[] = [];
  /** States that were judged, no two of a command's the same; and commands that were traced. */
  states = 0;
  commands = 0;
  #runs = 0;

  constructor(options: SuiteOptions) {
    this.#options = options;
    for (const [name, bytes] of Object.entries({ ...INPUTS, ...MANY })) {
      const file = path.join(options.folder, name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, bytes);
    }
  }

  async run(scenario: Scenario): Promise<void> {
    const folder = this.#newFolder();
    mkdirSync(folder);
    await scenario.prepare(path.join(folder, STORE));
    const durable = readTree(folder);
    rmSync(folder, { recursive: true });
    await this.#goOn(scenario, durable, 0, {
      steps: [],
      world: World.of(scenario.start, scenario.lost),
      story: [],
      kills: [],
    });
  }

  async #goOn(scenario: Scenario, durable: Tree, index: number, past: Past): Promise<void> {
    const command = scenario.commands[index];
    if (command === undefined) return;
    const isLast = index === scenario.commands.length - 1;
    const name = `"${command.args({ store: STORE, input: (input) => input }).join(' ')}"`;
    const { steps, ended } = await this.#trace(command, replay(durable, past.steps), index);
    if (!isLast && scenario.whole === undefined) {
      for (const count of this.#chooseKills(scenario, steps)) {
        await this.#goOn(scenario, durable, index + 1, {
          steps: [...past.steps, ...steps.slice(0, count)],
          world: past.world.during(command.effect),
          story: [
            ...past.story,
            `${name} killed after call ${count} of ${steps.length} (${steps[count - 1]?.label ?? ''})`,
          ],
          kills: [...past.kills, count],
        });
      }
      return;
    }
    const isDone = ended.code === 0 || command.done?.includes(ended.code ?? -1) === true;
    if (ended.code !== 0 && command.codes?.includes(ended.code ?? -1) !== true) {
      this.#fail(scenario, past, name, {
        problem: `exit code ${ended.code ?? ended.signal}: ${ended.stderr}${ended.stdout}`,
      });
    }
    const now = { ...past, story: [...past.story, name] };
    await this.#judgeStates(scenario, durable, now, command, steps, isDone);
    await this.#goOn(scenario, durable, index + 1, {
      ...now,
      steps: [...past.steps, ...steps],
      world: isDone ? past.world.after(command.effect) : past.world.during(command.effect),
    });
  }

  /** Numbers of calls after which the command is killed: after one that changes names, because others leave what the next one leaves. */
  #chooseKills({ name, thorough }: Scenario, steps: readonly Step[]): number[] {
    const all = steps.flatMap((step, index) => (NAMES.has(step.do) ? [index + 1] : []));
    const most = thorough === true ? Math.max(this.#options.kills, THOROUGH) : this.#options.kills;
    if (all.length <= most) return all;
    return new Random(this.#options.seed, `kills of ${name}`).sample(all, most).sort((a, b) => a - b);
  }

  async #judgeStates(
    scenario: Scenario,
    durable: Tree,
    { steps: before, world, story, kills }: Past,
    command: Command,
    steps: readonly Step[],
    isDone: boolean,
  ): Promise<void> {
    const random = new Random(this.#options.seed, [scenario.name, story.length, ...kills].join(' '));
    const print = steps.findIndex((step) => step.do === 'print');
    const counts = !isDone ? Infinity : command.counts === 'exit' || print === -1 ? steps.length : print + 1;
    const moments = Array.from({ length: this.#options.states }, () => random.between(0, steps.length)).sort(
      (a, b) => a - b,
    );
    const seen = new Set<string>();
    const states: {
      tree: Tree;
      world: World;
      mending: Mending;
      describe: () => Pick<Failure, 'when' | 'plan' | 'lost'>;
    }[] = [];
    const files = replay(durable, before);
    const consider = (plan: Plan, moment: number): void => {
      const fate = makeFate(plan, random);
      const tree = files.build(fate);
      const isCounted = moment >= counts;
      const told = isCounted ? [] : keysToldBy(command, steps.slice(0, moment));
      const sum = [sumOfTree(tree), isCounted, ...told].join(' ');
      if (seen.has(sum)) return;
      seen.add(sum);
      const lost = files.losses(fate);
      states.push({
        tree,
        world: isCounted ? world.after(command.effect) : world.during(command.effect).after(partOf(command, told)),
        mending: scenario.mending ?? (random.chance(0.25) ? 'heal' : 'gc'),
        describe: () => ({
          when: `${story.join(', then ')}; power lost after call ${moment} of ${steps.length} (${steps[moment - 1]?.label ?? 'none yet'})${isCounted ? ', acknowledged' : told.length > 0 ? `, ${told.length} acknowledged` : ''}`,
          plan: describePlan(plan),
          lost,
        }),
      });
    };
    for (let moment = 0, next = 0; moment <= steps.length; moment++) {
      for (; moments[next] === moment; next++) consider(anyPlan(files.volatileDevices(), random), moment);
      const step = steps[moment];
      if (step === undefined) for (const plan of fixedPlans(files.volatileDevices())) consider(plan, moment);
      else files.apply(step);
    }
    await pMap(
      states,
      async (state) => {
        const folder = this.#newFolder();
        writeTree(state.tree, folder);
        const problem = await judge(path.join(folder, STORE), state.world, state.mending, scenario.hurt === true);
        rmSync(folder, { recursive: true });
        this.states++;
        if (problem !== undefined)
          this.failures.push({ scenario: scenario.name, seed: this.#options.seed, problem, ...state.describe() });
      },
      { concurrency: AT_ONCE },
    );
  }

  async #trace(command: Command, files: VolatileFiles, index: number): Promise<{ steps: Step[]; ended: Ended }> {
    this.commands++;
    const { program, folder } = this.#options;
    const traced = await traceCommand(command, files, {
      program,
      inputs: folder,
      folder: this.#newFolder(),
      store: STORE,
    });
    const shift = index * LOG_LENGTH;
    return {
      ...traced,
      steps: traced.steps.map((step) => ({ ...step, at: step.at + shift, began: step.began + shift })),
    };
  }

  #fail(scenario: Scenario, { story }: Past, name: string, { problem }: Pick<Failure, 'problem'>): void {
    this.failures.push({
      scenario: scenario.name,
      seed: this.#options.seed,
      problem,
      when: [...story, name].join(', then '),
      plan: 'the power stays',
      lost: [],
    });
  }

  #newFolder(): string {
    return path.join(this.#options.folder, `run-${this.#runs++}`);
  }
}

function replay(durable: Tree, steps: readonly Step[]): VolatileFiles {
  const files = new VolatileFiles(durable, STORE);
  for (const step of steps) files.apply(step);
  return files;
}

/** The keys of objects that count by themselves after these steps. */
function keysToldBy({ told }: Command, steps: readonly Step[]): string[] {
  if (told === undefined) return [];
  return steps.flatMap((step) => (step.do === 'print' ? told(step.text) : []));
}

/** What a command does to some of its objects. */
function partOf({ effect: { objects = {} } }: Command, keys: readonly string[]): Effect {
  return { objects: Object.fromEntries(keys.map((key) => [key, objects[key]])) };
}
