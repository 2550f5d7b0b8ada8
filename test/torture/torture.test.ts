import { randomInt } from 'node:crypto';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { compiledLibrary } from '../support/processes.ts';
import { tempFolder } from '../support/temp.ts';
import { compileWorker } from './compile-worker.ts';
import { Torture } from './torture.ts';

/** `npm run torture` goes on for as long as one likes. */
const MILLISECONDS = 14_000;

test('random operations of several processes, while disks are hurt, changed and lost, never lose or change a byte', async () => {
  const given = process.env['TORTURE_SEED'];
  const seed = given === undefined ? randomInt(2 ** 30) : Number(given);
  console.log(`TORTURE_SEED=${seed}`);
  const folder = tempFolder();
  const torture = new Torture({
    seed,
    milliseconds: MILLISECONDS,
    folder,
    script: compileWorker(path.join(folder, 'program')),
    library: compiledLibrary(),
  });
  const { rounds, hurt, operations, circumstances } = await torture.run();
  expect(rounds).toBeGreaterThanOrEqual(1);
  // A slow machine comes to a round or two, which may leave all disks as they are.
  expect(hurt).toBeGreaterThanOrEqual(rounds < 4 ? 0 : 1);
  expect(operations['put']).toBeGreaterThan(10);
  expect(operations['get']).toBeGreaterThan(10);
  expect(circumstances['a clock goes back']).toBeGreaterThan(1);
});
