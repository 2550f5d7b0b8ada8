import { existsSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { Command, Option, InvalidArgumentError } from 'commander';
import { cost } from './cost.ts';
import { download } from './download.ts';
import { earlierBuild } from './earlier-build.ts';
import { encode } from './encode.ts';
import { manyObjects } from './many-objects.ts';
import { memory } from './memory.ts';
import { redundancy } from './redundancy.ts';
import { smallFiles } from './small-files.ts';
import { smallObjects } from './small-objects.ts';
import { startUp } from './start-up.ts';
import type { Benchmark } from './support/benchmark.ts';
import { run } from './support/process.ts';
import { describeMachine, formatDocument, formatTable, oneLine, type Report } from './support/report.ts';
import { fileSystemOf, withScratch } from './support/scratch.ts';
import { upload } from './upload.ts';

// Those that make very many files come before those that remove many of theirs between turns; see `ContestOptions.keep`.
const BENCHMARKS: Benchmark[] = [
  smallFiles,
  smallObjects,
  manyObjects,
  cost,
  earlierBuild,
  upload,
  download,
  startUp,
  redundancy,
  encode,
  memory,
];

interface Options {
  only: Benchmark[];
  size: number;
  sparse: number;
  objects: number;
  base?: string;
  rounds?: number;
  cold: boolean;
  folder: string;
  write: boolean;
}

const repository = path.dirname(import.meta.dirname);

const options: Options = new Command('npm run bench --')
  .description('Measures the store against named peers in the same run, and prints a table.')
  .addOption(
    new Option('--only <names>', `measure only these: ${BENCHMARKS.map(({ name }) => name).join(',')}`)
      .argParser(parseNames)
      .default(BENCHMARKS, 'all'),
  )
  .option('--size <MiB>', 'size of the large object', parseCount, 1024)
  .option('--sparse <MiB>', 'size of the sparse object whose memory is measured', parseCount, 8192)
  .option('--objects <number>', 'objects of a store that has many', parseCount, 100_000)
  .option('--base <folder>', 'an earlier checkout of this project with its build in dist/, to compare with', parseBuilt)
  .option('--rounds <number>', 'rounds of each comparison; each has its own default', parseCount)
  .option('--cold', 'rest before each turn, until a virtual machine has handed its free memory to the host', false)
  .option('--folder <folder>', 'where to write what is measured; removed at the end', os.tmpdir())
  .option('--write', 'write docs/benchmarks.md', false)
  .parse()
  .opts();

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    stop.abort();
  });
}

try {
  const report = await withScratch(options.folder, measureAll);
  const rows = report.parts.flatMap(({ result }) => result.rows);
  process.stdout.write(`${describeMachine(report.fileSystem)}\n\n${formatTable(rows)}\n\n`);
  for (const note of report.parts.flatMap(({ result }) => result.notes)) process.stdout.write(`- ${oneLine(note)}\n`);
  if (options.write) await fs.writeFile(path.join(repository, 'docs/benchmarks.md'), formatDocument(report));
} catch (error) {
  if (!stop.signal.aborted) throw error;
  process.stderr.write('interrupted\n');
  process.exitCode = 130;
}

async function measureAll(scratch: string): Promise<Report> {
  const parts: Report['parts'] = [];
  if (options.only.some(({ compiled }) => compiled)) {
    process.stderr.write('building\n');
    await run('npm', ['run', 'build'], { signal: stop.signal, cwd: repository });
  }
  for (const benchmark of options.only) {
    process.stderr.write(`${benchmark.title}\n`);
    // Nothing is removed before all are done: ext4 makes new files slowly for a while after many have been removed.
    const folder = await fs.mkdtemp(path.join(scratch, `${benchmark.name}-`));
    const result = await benchmark.run({
      folder,
      repository,
      base: options.base,
      mebibytes: options.size,
      sparseMebibytes: options.sparse,
      objects: options.objects,
      rounds: options.rounds,
      cold: options.cold,
      signal: stop.signal,
    });
    parts.push({ benchmark, result });
  }
  return { command: commandLine(), cold: options.cold, fileSystem: await fileSystemOf(scratch), parts };
}

/** The command as it was typed; where a folder is on this machine means nothing to others. */
function commandLine(): string {
  const shown: string[] = [];
  const args = process.argv.slice(2);
  for (let arg = args.shift(); arg !== undefined; arg = args.shift()) {
    const [name = ''] = arg.split('=', 1);
    const names = name === '--folder' || name === '--base';
    if (names && name === arg) args.shift();
    if (name === '--base') shown.push('--base <folder>');
    else if (!names) shown.push(arg);
  }
  return ['npm run bench', ...(shown.length > 0 ? ['--', ...shown] : [])].join(' ');
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1) throw new InvalidArgumentError('It must be a whole number from 1.');
  return count;
}

function parseBuilt(folder: string): string {
  if (!existsSync(path.join(folder, 'dist/src/index.js'))) throw new InvalidArgumentError('There is no build in it.');
  return path.resolve(folder);
}

function parseNames(text: string): Benchmark[] {
  return text.split(',').map((name) => {
    const found = BENCHMARKS.find((benchmark) => benchmark.name === name);
    if (found === undefined) throw new InvalidArgumentError(`There is no "${name}".`);
    return found;
  });
}
