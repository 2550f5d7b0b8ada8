import { randomInt } from 'node:crypto';
import * as path from 'node:path';
import pMap from 'p-map';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { mkdtempSync, rmSync } from 'node:fs';
import { compiledDoor } from '../../support/build.ts';
import { straceProblem } from '../strace.ts';
import { upload } from './commands.ts';
import { describeFailures } from './report.ts';
import { having, scenario, type Scenario } from './scenario.ts';
import { SEQUENCES, SINGLE } from './scenarios.ts';
import { quickFolder, Suite } from './suite.ts';

const problem = straceProblem();
if (problem !== undefined) console.warn(`SKIPPED, nothing is proved about power losses: ${problem}`);

/** `npm run power-loss` goes on for as long as one likes. */
const BRIEFLY = { states: 2, kills: 1 };
const AT_ONCE = 2;
const LIMIT_MS = 900_000;

const given = process.env['POWER_LOSS_SEED'];
const seed = given === undefined ? randomInt(2 ** 30) : Number(given);
let states = 0;

describe.skipIf(problem !== undefined)(
  'after a power loss at any call everything that was acknowledged is there, and nothing else is half there',
  () => {
    afterAll(() => {
      console.log(`POWER_LOSS_SEED=${seed}: states that a power loss may leave, judged: ${states}`);
    });

    test(
      'one command, and the power goes while it runs or afterwards',
      async () => {
        const suite = await run(SINGLE);
        expect(suite.failures.length, describeFailures(suite.failures)).toBe(0);
        expect(suite.states).toBeGreaterThan(80);
      },
      LIMIT_MS,
    );

    test(
      'a command that is killed, another one that rests on what it has left, and then the power goes',
      async () => {
        const suite = await run(SEQUENCES);
        expect(suite.failures.length, describeFailures(suite.failures)).toBe(0);
        expect(suite.states).toBeGreaterThan(300);
      },
      LIMIT_MS,
    );

    test('what an upload without syncs loses is found', async () => {
      const suite = await run([
        scenario('an upload without syncs', having({}), [upload('demo', 'small', ['--durability', 'none'])]),
      ]);
      expect(suite.failures.map(({ problem: what }) => what).join('\n')).toContain(
        'demo is absent, but must be 3000 bytes',
      );
    });
  },
);

async function run(scenarios: readonly Scenario[]): Promise<Suite> {
  const folder = mkdtempSync(path.join(quickFolder(), 'mini-object-store-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const suite = new Suite({ program: path.join(path.dirname(compiledDoor('store')), '..'), folder, seed, ...BRIEFLY });
  await pMap(scenarios, (one) => suite.run(one), { concurrency: AT_ONCE });
  states += suite.states;
  return suite;
}
