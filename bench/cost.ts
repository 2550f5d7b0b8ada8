import * as path from 'node:path';
import type { Benchmark, Row, Setting } from './support/benchmark.ts';
import { BUCKET, uploadFolderArgs, type Build } from './support/commands.ts';
import { loadLibrary } from './support/library.ts';
import { fillStore } from './support/many-objects.ts';
import { isInstalled, run } from './support/process.ts';
import { roomOf, total } from './support/room.ts';
import { writeSmallFiles } from './support/small-files.ts';
import { countSystemCalls } from './support/system-calls.ts';

const BYTES = 4096;

/** Objects that are there before: so many that all folders that stay, whatever is in them, have been made. */
const FILLED = 5000;

/** What many objects cost more than few, divided by how many more they are, is free of what starting a program costs. */
const PUTS = { few: 20, many: 220 };
const UPLOADS = { few: 300, many: 1300 };

/** What is counted for an object, by its name in the table; calls are missing where there is no strace. */
type Cost = Map<string, number>;

export const cost: Benchmark = {
  name: 'cost',
  title: 'What one small object costs, counted',
  compiled: true,
  async run(setting) {
    const { base, repository } = setting;
    const hasStrace = await isInstalled('strace');
    const files = new Map<number, string>();
    for (const count of Object.values(UPLOADS)) {
      const folder = path.join(setting.folder, `files-${count}`);
      await writeSmallFiles(folder, { count, least: BYTES, most: BYTES });
      files.set(count, folder);
    }
    const now = await measureBuild(setting, { repository }, 'now', files, hasStrace);
    const earlier =
      base === undefined ? undefined : await measureBuild(setting, { repository: base }, 'earlier', files, hasStrace);
    const notes = [
      `Per object of 4 KiB, in a store of 3 disks (folders of one file system) that has ${FILLED.toLocaleString('en')} objects: what
       ${PUTS.many} objects cost more than ${PUTS.few} do (${UPLOADS.many.toLocaleString('en')} and ${UPLOADS.few} with upload -r), divided by how many
       more they are. So what a program needs to start and end is not in it.`,
      `put: \`ObjectStore.put\`, one after the other, of keys without a folder. upload -r: \`node dist/bin/upload.js -r\` of files
       in 50 folders that are new to the store.`,
      `bytes of disk: the blocks that are allocated for files and folders. System calls are counted by strace, for all threads and
       children, and those of futex apart. Both depend on how threads and loops happen to meet, futex more, and being traced
       makes them wait more often.`,
    ];
    if (!hasStrace) notes.push('System calls were left out: strace is not installed here.');
    if (base === undefined) notes.push('`--base` named no earlier checkout to compare with.');
    return { rows: [...now].map(([what, count]) => costRow(what, count, earlier?.get(what))), notes };
  },
};

async function measureBuild(
  setting: Setting,
  build: Build,
  name: string,
  files: Map<number, string>,
  hasStrace: boolean,
): Promise<Cost> {
  const { signal, repository } = setting;
  const root = path.join(setting.folder, name);
  await fillStore(await loadLibrary(build), root, { objects: FILLED, signal });
  const script = path.join(repository, 'bench/support/put-objects.js');
  const library = path.join(build.repository, 'dist/src/index.js');
  const put = (count: number): string[] => [script, library, root, BUCKET, `put-${count}-`, String(count)];
  const upload = (count: number): string[] =>
    uploadFolderArgs(build, root, files.get(count) ?? '', '--prefix', `upload-${count}-`);
  const measure = async (args: string[]): Promise<Cost> => measureRun(setting, root, args, hasStrace);
  return new Map([
    ...perObject('put', await measure(put(PUTS.few)), await measure(put(PUTS.many)), PUTS),
    ...perObject('upload -r', await measure(upload(UPLOADS.few)), await measure(upload(UPLOADS.many)), UPLOADS),
  ]);
}

/** What a run of Node adds to a store, and calls. */
async function measureRun(
  { folder, signal }: Setting,
  root: string,
  args: string[],
  hasStrace: boolean,
): Promise<Cost> {
  await run('sync', [], { signal });
  const before = total(roomOf(root));
  const counted: Cost = new Map();
  if (hasStrace) {
    const { calls, futexCalls, syncs } = await countSystemCalls(path.join(folder, 'calls.txt'), 'node', args, {
      signal,
    });
    counted.set('system calls', calls).set('futex calls', futexCalls).set('syncs', syncs);
  } else {
    await run('node', args, { signal });
  }
  await run('sync', [], { signal });
  const after = total(roomOf(root));
  return new Map([['inodes', after.inodes - before.inodes], ['bytes of disk', after.bytes - before.bytes], ...counted]);
}

function perObject(what: string, few: Cost, many: Cost, objects: { few: number; many: number }): [string, number][] {
  return [...many].map(([name, count]) => {
    const each = (count - (few.get(name) ?? NaN)) / (objects.many - objects.few);
    process.stderr.write(`  ${what}: ${name} ${each.toFixed(2)}\n`);
    return [`${what}: ${name}`, each];
  });
}

function costRow(what: string, now: number, earlier: number | undefined): Row {
  return {
    what,
    ours: formatCount(now),
    peer: earlier === undefined ? '' : `earlier build: ${formatCount(earlier)}`,
    ratio: earlier === undefined ? '' : (now / earlier).toFixed(2),
    goal: '',
    verdict: '',
  };
}

function formatCount(count: number): string {
  return count < 100 ? count.toFixed(2) : Math.round(count).toLocaleString('en');
}
