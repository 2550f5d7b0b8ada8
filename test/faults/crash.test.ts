import { cpSync, existsSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { ObjectStore } from '../../src/index.ts';
import { tempFolder } from '../support/temp.ts';
import { LIMIT_MS, Rig, type Fault, type Struck } from './crash-run.ts';
import { BUCKET, OVERWRITE, SCENARIOS, type Scenario } from './crash-scenarios.ts';
import { expectSame, goOn, isSame, reclaimAll } from './crash-recovery.ts';
import { findDanglingMetas, findUntidy, readObject } from './crash-state.ts';
import type { Point } from './strace-points.ts';
import { straceProblem } from './strace.ts';

const problem = straceProblem();
if (problem !== undefined) console.warn(`SKIPPED, nothing is proved about crashes: ${problem}`);

describe.skipIf(problem !== undefined)(
  'after kill -9 at any call that changes the store, objects are whole and the next command works',
  () => {
    test(
      'an upload that runs through tsx, as in the README, can be killed at each call that shows or removes a file',
      async () => {
        const scenario = OVERWRITE;
        const rig = await Rig.make(scenario, tempFolder(), true);
        const points = await rig.runWhole(undefined, ['rename', 'unlink']);
        await rig.strikeAll(toKills(points), (struck) => checkAfterKill(scenario, struck));
        console.log(`crash points visited: ${points.length} in ${scenario.name} through tsx`);
        expect(points.length).toBeGreaterThanOrEqual(6);
      },
      LIMIT_MS,
    );

    test.each(SCENARIOS)(
      '$name can be killed anywhere',
      async (scenario) => {
        const rig = await Rig.make(scenario, tempFolder());
        const points = await rig.runWhole(async (root) => {
          for (const { key, after } of scenario.objects) expectSame(await readObject(root, BUCKET, key), after);
          expect(findDanglingMetas(root)).toEqual([]);
          const untidy = findUntidy(root);
          expect(untidy, untidy.join(', ')).toEqual([]);
        });
        let acknowledged = 0;
        await rig.strikeAll(toKills(points), async (struck) => {
          if (struck.ended.stdout !== '') acknowledged++;
          await checkAfterKill(scenario, struck);
        });
        console.log(
          `crash points visited: ${points.length} in ${scenario.name} (${acknowledged} after its result was out)`,
        );
        expect(points.length).toBeGreaterThanOrEqual(scenario.least);
      },
      LIMIT_MS,
    );
  },
);

function toKills(points: readonly Point[]): Fault[] {
  return points.map((point) => ({ point, what: 'signal=KILL' }));
}

async function checkAfterKill(scenario: Scenario, { root, folder, ended }: Struck): Promise<void> {
  expect(ended.signal).toBe('SIGKILL');
  const references = findDanglingMetas(root);
  expect(references, 'metas refer to whole chunks only').toEqual([]);
  const found: (Buffer | undefined)[] = [];
  for (const { key, before, after } of scenario.objects) {
    const bytes = await readObject(root, BUCKET, key);
    const wasAcknowledged = ended.stdout !== '';
    expect(isSame(bytes, after) || (!wasAcknowledged && isSame(bytes, before)), `${key} is whole, old or new`).toBe(
      true,
    );
    found.push(bytes);
  }

  // What the dead command left is reclaimed without another write …
  const copy = path.join(folder, 'copy');
  if (existsSync(path.join(root, 'store.json'))) {
    cpSync(root, copy, { recursive: true });
    await reclaimAll(await ObjectStore.open(copy));
    for (const [index, { key }] of scenario.objects.entries())
      expectSame(await readObject(copy, BUCKET, key), found[index]);
  }

  // … and the next upload and download need no repair before them.
  await goOn(root, scenario.objects[0]?.key ?? '', folder);
}
