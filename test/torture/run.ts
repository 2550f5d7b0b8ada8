/** `npm run torture -- --minutes 30 --seed 123`: tortures a store for as long as one likes. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { randomInt } from 'node:crypto';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { compile } from '../support/build.ts';
import { compileWorker } from './compile-worker.ts';
import { TortureError } from './journal.ts';
import { Torture } from './torture.ts';

const USAGE = `npm run torture -- [--minutes <n>] [--seconds <n>] [--seed <n>] [--quiet]

Random operations of several processes on one store, while its disks are hurt, changed and lost, against a model.
Without a seed a new one is taken; it is printed. The store of a failure stays. Exit code 1 if something was wrong.`;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    seconds: { type: 'string' },
    seed: { type: 'string' },
    quiet: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

async function main(): Promise<number> {
  const seconds = Number(values.minutes ?? 0) * 60 + Number(values.seconds ?? 0) || 60;
  const seed = values.seed === undefined ? randomInt(2 ** 30) : Number(values.seed);
  if (!Number.isFinite(seconds) || !Number.isSafeInteger(seed)) {
    console.error(USAGE);
    return 2;
  }
  const build = await compile();
  if (build.problem !== undefined) throw new Error(build.problem);
  // Beside the build, where packages are found; a build itself may be tidied away by other tests meanwhile.
  const program = mkdtempSync(`${path.dirname(build.folder)}-torture-`);
  const folder = mkdtempSync(path.join(tmpdir(), 'mini-object-store-torture-'));
  try {
    cpSync(build.folder, program, { recursive: true });
    console.log(`torture for ${seconds} s with seed ${seed} in ${folder}`);
    const report = await new Torture({
      seed,
      milliseconds: seconds * 1000,
      folder,
      script: compileWorker(path.join(program, 'torture')),
      library: path.join(program, 'src/index.js'),
      log: values.quiet ? undefined : console.log,
    }).run();
    console.log(JSON.stringify(report, undefined, 2));
    rmSync(folder, { recursive: true });
    console.log(`nothing was lost, and all was mended (seed ${seed})`);
    return 0;
  } catch (error) {
    console.error(error instanceof TortureError ? error.message : error);
    console.error(`repeat it with: npm run torture -- --seed ${seed} --seconds ${seconds}`);
    return 1;
  } finally {
    rmSync(program, { recursive: true, force: true });
  }
}

if (values.help) console.log(USAGE);
else process.exitCode = await main();
