import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { ObjectStore } from '../../src/index.ts';
import { tempFolder } from '../support/temp.ts';
import { completeIt, loseEach, readWhole } from './care-recovery.ts';
import { CARE, type CareScenario } from './care-scenarios.ts';
import type { CareResult } from './care-script.ts';
import { LIMIT_MS, Rig, type Struck } from './crash-run.ts';
import { BUCKET } from './crash-scenarios.ts';
import { checkNoSecondSync, NEEDS_ROOM, sample } from './io-faults.ts';
import { straceProblem } from './strace.ts';

const problem = straceProblem();
if (problem !== undefined) console.warn(`SKIPPED, nothing is proved about I/O errors of heal and drain: ${problem}`);

const ATTACKED = ['a heal of damaged chunks and metas', 'draining a disk'];

/** After so many errors each disk in turn is lost too. */
const LOSE_AFTER = 8;

/** Of each kind of call the first, the middle and the last are attacked; with `FAULTS=all` in the environment every one. */
describe.skipIf(problem !== undefined)('an I/O error at a call that changes the store', () => {
  test.each(CARE.filter(({ name }) => ATTACKED.includes(name)))(
    'in $name: nothing is lost, and nothing is called whole that is not',
    async (scenario) => {
      const rig = await Rig.make(scenario, tempFolder());
      const points = await rig.runWhole();
      const some = sample(points);
      const faults = [
        ...(process.env['FAULTS'] === 'all' ? points : some).map((point) => ({ point, what: 'error=EIO' })),
        ...some.map((point) => ({
          point,
          what: NEEDS_ROOM.has(point.syscall) ? 'error=ENOSPC' : 'error=EIO',
          persistent: true,
        })),
      ];
      const ends = { whole: 0, failed: 0 };
      let visited = 0;
      await rig.strikeAll(faults, async (struck, { persistent }) => {
        const isWhole = await checkClaim(scenario, struck);
        ends[isWhole ? 'whole' : 'failed']++;
        if (persistent !== true) checkNoSecondSync(struck.ended.calls, struck.folder);
        await readWhole(scenario, struck.root, false);
        await completeIt(scenario, struck.root);
        if (visited++ % LOSE_AFTER === 0) await loseEach(scenario, struck.root, path.join(struck.folder, 'copy'));
      });
      console.log(
        `I/O errors injected: ${faults.length} in ${scenario.name}; all done in spite of it: ${ends.whole}, not all: ${ends.failed}`,
      );
    },
    LIMIT_MS,
  );
});

/** What the command says that it has done has been done. Tells whether that is all there was to do. */
async function checkClaim({ care, objects }: CareScenario, { root, ended }: Struck): Promise<boolean> {
  expect(ended.code, ended.stderr).toBe(0);
  const { failed, error, objects: count, whole } = JSON.parse(ended.stdout) as CareResult;
  if (error !== undefined) return false;
  const store = await ObjectStore.open(root);
  if (care.do === 'heal') {
    const verified = await store.verify();
    expect(count).toBe(verified.objects);
    expect(verified.whole, `heal says that ${whole} objects are whole`).toBeGreaterThanOrEqual(whole ?? 0);
    return whole === count;
  }
  if (failed.length > 0 || care.do !== 'drain disk') return false;
  for (const { key } of objects) {
    const { chunks, parity } = await store.head(BUCKET, key);
    expect([...chunks, ...parity].map(({ disk }) => disk)).not.toContain(care.name);
  }
  return true;
}
