/** `npm run power-loss -- --minutes 30 --seed 123`: cuts the power for as long as one likes. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { randomInt } from 'node:crypto';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { compile } from '../../support/build.ts';
import { straceProblem } from '../strace.ts';
import { describeFailures } from './report.ts';
import type { Scenario } from './scenario.ts';
import { SEQUENCES, SINGLE } from './scenarios.ts';
import { quickFolder, Suite } from './suite.ts';

const USAGE = `npm run power-loss -- [--minutes <n>] [--seed <n>] [--states <n>] [--kills <n>] [--only <text>]

Runs commands on a store, one or two after the other, and judges what may be on its disks if the power goes at any call.
Without --minutes, all scenarios run once; otherwise again and again, with a new seed each time. Without a seed a new one is
taken; it is printed. --states is the number of random states for each run of a command, --kills how often a command is killed
before the next one, --only takes scenarios whose name has the text in it. Exit code 1 if something was wrong.`;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '0' },
    seed: { type: 'string' },
    states: { type: 'string', default: '40' },
    kills: { type: 'string', default: '4' },
    only: { type: 'string', default: '' },
    help: { type: 'boolean', default: false },
  },
});

async function main(): Promise<number> {
  const [minutes, states, kills] = [Number(values.minutes), Number(values.states), Number(values.kills)];
  const first = values.seed === undefined ? randomInt(2 ** 30) : Number(values.seed);
  const scenarios = choose([...SEQUENCES, ...SINGLE], values.only);
  if (
    ![minutes, states, kills].every((number) => number >= 0) ||
    !Number.isSafeInteger(first) ||
    scenarios.length === 0
  ) {
    console.error(USAGE);
    return 2;
  }
  const problem = straceProblem();
  if (problem !== undefined) throw new Error(problem);
  const build = await compile();
  if (build.problem !== undefined) throw new Error(build.problem);
  // Beside the build, where packages are found; a build itself may be tidied away by other tests meanwhile.
  const program = mkdtempSync(`${path.dirname(build.folder)}-power-loss-`);
  const folder = mkdtempSync(path.join(quickFolder(), 'mini-object-store-power-loss-'));
  const total = { rounds: 0, states: 0, commands: 0, failures: 0 };
  try {
    cpSync(build.folder, program, { recursive: true });
    const end = Date.now() + minutes * 60_000;
    for (let seed = first; seed === first || Date.now() < end; seed++) {
      total.rounds++;
      for (const scenario of scenarios) {
        if (seed !== first && Date.now() >= end) break;
        const suite = new Suite({ program, folder, seed, states, kills });
        await suite.run(scenario);
        total.states += suite.states;
        total.commands += suite.commands;
        total.failures += suite.failures.length;
        console.log(`${scenario.name} (seed ${seed}): ${suite.states} states, ${suite.failures.length} wrong`);
        if (suite.failures.length > 0) console.error(describeFailures(suite.failures));
      }
    }
    console.log(JSON.stringify(total));
    return total.failures === 0 ? 0 : 1;
  } finally {
    rmSync(program, { recursive: true, force: true });
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The scenario of that name, or all that have the text in their names. */
function choose(scenarios: readonly Scenario[], text: string): Scenario[] {
  const named = scenarios.filter(({ name }) => name === text);
  return named.length > 0 ? named : scenarios.filter(({ name }) => name.includes(text));
}

if (values.help) console.log(USAGE);
else process.exitCode = await main();
