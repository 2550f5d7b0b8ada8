import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { tempFolder } from '../support/temp.ts';
import { completeIt, loseEach, readWhole } from './care-recovery.ts';
import { CARE } from './care-scenarios.ts';
import { LIMIT_MS, Rig } from './crash-run.ts';
import { STATE_CALLS, straceProblem } from './strace.ts';

const problem = straceProblem();
if (problem !== undefined)
  console.warn(`SKIPPED, nothing is proved about crashes of heal and changes of disks: ${problem}`);

/**
 * A process that is killed as it syncs leaves what one leaves that is killed at the next call; and a file that is empty is
 * worse than one that is not there yet, so opens are left out too, unless `FAULTS=all` is in the environment.
 */
const CALLS = STATE_CALLS.filter(
  (name) => process.env['FAULTS'] === 'all' || (!name.endsWith('sync') && name !== 'openat'),
);

/** After so many crash points each disk in turn is lost too. */
const LOSE_AFTER = 20;

describe.skipIf(problem !== undefined)(
  'after kill -9 at any call that changes the store, every object reads right, and the same again and a heal make it whole',
  () => {
    test.each(CARE)(
      '$name can be killed anywhere',
      async (scenario) => {
        const rig = await Rig.make(scenario, tempFolder());
        const points = await rig.runWhole(async (root) => {
          await readWhole(scenario, root, true);
          await completeIt(scenario, root);
        }, CALLS);
        let visited = 0;
        await rig.strikeAll(
          points.map((point) => ({ point, what: 'signal=KILL' })),
          async ({ root, folder, ended }) => {
            expect(ended.signal).toBe('SIGKILL');
            await readWhole(scenario, root, ended.stdout !== '');
            await completeIt(scenario, root);
            if (visited++ % LOSE_AFTER === 0) await loseEach(scenario, root, path.join(folder, 'copy'));
          },
        );
        console.log(`crash points visited: ${points.length} in ${scenario.name}`);
        expect(points.length).toBeGreaterThanOrEqual(scenario.least);
      },
      LIMIT_MS,
    );
  },
);
