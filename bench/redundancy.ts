import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { ObjectStore } from '../src/index.ts';
import type { Benchmark, Setting } from './support/benchmark.ts';
import { BUCKET, downloadArgs, storeArgs, uploadArgs } from './support/commands.ts';
import { compare, contest } from './support/contest.ts';
import { formatSize, writeRandomFile } from './support/data.ts';
import { dropCaches } from './support/level.ts';
import { run, runShell } from './support/process.ts';

const KEY = 'data.bin';
const LOST = 'disk2';

/** The bytes of `2+1` are 3/2 of those of `1+0`; a tenth more time is allowed. */
const UPLOAD_GOAL = 1.5 / 0.9;
const DEGRADED_GOAL = 1 / 0.8;
const VERIFY_GOAL = 1 / 0.8;
const HEAL_GOAL = 1 / 0.5;

export const redundancy: Benchmark = {
  name: 'redundancy',
  title: 'Redundancy: upload, degraded download, verify, heal',
  compiled: true,
  async run(setting) {
    const { signal, mebibytes } = setting;
    const file = path.join(setting.folder, KEY);
    await writeRandomFile(file, mebibytes, signal);
    const uploads = await contest(
      setting,
      { rounds: 7, writes: mebibytes * 1.5 },
      {
        '1+0': (folder) => uploadWith(setting, folder, file, '1+0'),
        '2+1': (folder) => uploadWith(setting, folder, file, '2+1'),
        '4+2': (folder) => uploadWith(setting, folder, file, '4+2'),
      },
    );
    const root = path.join(setting.folder, 'store');
    await makeStore(root, file, '2+1', 3, signal);
    await fs.rm(file);
    const chunks = 'cat */chunks/*/* > /dev/null';
    const reads = await contest(
      setting,
      { rounds: 7, writes: mebibytes },
      {
        healthy: async (folder) => {
          await dropCaches(signal);
          return run('node', downloadArgs(setting, root, KEY, path.join(folder, 'out.bin')), { signal });
        },
        degraded: (folder) =>
          withoutDisk(setting, root, folder, () =>
            run('node', downloadArgs(setting, root, KEY, path.join(folder, 'out.bin')), { signal }),
          ),
        verify: async () => {
          await dropCaches(signal);
          return run('node', storeArgs(setting, root, 'verify'), { signal });
        },
        cat: async () => {
          await dropCaches(signal);
          return runShell(chunks, [], { signal, cwd: root });
        },
      },
    );
    const warm = await contest(
      setting,
      { rounds: 5, warmUp: true },
      {
        verify: () => run('node', storeArgs(setting, root, 'verify'), { signal }),
        cat: () => runShell(chunks, [], { signal, cwd: root }),
      },
    );
    const heals = await contest(
      setting,
      { rounds: 7, writes: mebibytes },
      {
        heal: async () => {
          await fs.rm(path.join(root, LOST), { recursive: true });
          await run('node', storeArgs(setting, root, 'disk', 'replace', LOST, '--no-heal'), { signal });
          await dropCaches(signal);
          return run('node', storeArgs(setting, root, 'heal'), { signal });
        },
        'cp two': (folder) => copy('cp -r disk1 disk3 "$1" && sync "$1"/*/chunks/*/*', root, folder, signal),
        'cp one': (folder) => copy('cp -r disk2 "$1" && sync "$1"/*/chunks/*/*', root, folder, signal),
        'cp one, unsynced': (folder) => copy('cp -r disk2 "$1"', root, folder, signal),
      },
    );
    const size = formatSize(mebibytes);
    const half = formatSize(mebibytes / 2);
    return {
      rows: [
        compare(uploads, {
          what: `upload ${size} with 2+1`,
          ours: '2+1',
          peer: '1+0',
          against: 'with 1+0',
          goal: UPLOAD_GOAL,
        }),
        compare(uploads, { what: `upload ${size} with 4+2`, ours: '4+2', peer: '1+0', against: 'with 1+0' }),
        compare(reads, {
          what: `download ${size} of 2+1, a disk gone`,
          ours: 'degraded',
          peer: 'healthy',
          against: 'all disks there',
          goal: DEGRADED_GOAL,
        }),
        compare(reads, {
          what: `verify ${size} of 2+1`,
          ours: 'verify',
          peer: 'cat',
          against: 'cat chunks > /dev/null',
          goal: VERIFY_GOAL,
        }),
        compare(warm, {
          what: `verify ${size} of 2+1, cached`,
          ours: 'verify',
          peer: 'cat',
          against: 'cat chunks > /dev/null',
        }),
        compare(heals, {
          what: `heal a disk of ${half}`,
          ours: 'heal',
          peer: 'cp two',
          against: 'cp -r of two disks, then sync',
          goal: HEAL_GOAL,
        }),
        compare(heals, {
          what: `heal a disk of ${half}`,
          ours: 'heal',
          peer: 'cp one',
          against: 'cp -r of one disk, then sync',
        }),
        compare(heals, {
          what: `heal a disk of ${half}`,
          ours: 'heal',
          peer: 'cp one, unsynced',
          against: 'cp -r of one disk',
        }),
      ],
      notes: [
        `upload with 2+1, 4+2: \`node dist/bin/upload.js --redundancy\`, from the start of the process to its end, into a store of 6
         disks that it finds there. With 1.5 times the bytes, 1.50 is the share that they allow; the goal leaves a tenth.`,
        `download of 2+1, a disk gone: one of the 3 disks of the store is moved away, so that two thirds of the stripes lack a
         chunk, which is computed from the other one and the parity. Nothing is in the page cache, for both sides.`,
        `verify: \`node dist/bin/store.js verify\` reads every chunk and parity chunk, past the page cache, and compares its SHA-256.
         cat: the same files with one \`cat\` to /dev/null, which neither checks nor stops. Nothing is in the page cache.
         cached: the same with everything in the page cache, where \`cat\` copies from memory, and SHA-256 alone takes longer.`,
        `heal: \`node dist/bin/store.js heal\` after one of 3 disks of 2+1 was lost and replaced by an empty folder: reads and checks
         the other two, computes what is missing, writes and syncs it, and reads it back: for each byte that is rebuilt, three are
         read and one is written. cp -r of two disks: two are read and two are written, so as many bytes are moved as heal moves; that
         is what the goal is about. cp -r of one disk: one is read and one is written. Nothing is in the page cache, for all of them; cp checks nothing.`,
      ],
    };
  },
};

async function uploadWith(setting: Setting, folder: string, file: string, kind: string): Promise<number> {
  const root = path.join(folder, 'store');
  await ObjectStore.init(root, { disks: 6 });
  return run('node', [...uploadArgs(setting, root, file), '--redundancy', kind], { signal: setting.signal });
}

/** Runs a shell command in the store's folder, with nothing in the page cache. */
async function copy(command: string, root: string, folder: string, signal: AbortSignal): Promise<number> {
  await dropCaches(signal);
  return runShell(command, [folder], { signal, cwd: root });
}

async function makeStore(root: string, file: string, kind: string, disks: number, signal: AbortSignal): Promise<void> {
  const store = await ObjectStore.init(root, { disks, redundancy: kind });
  await store.createBucket(BUCKET);
  await store.put(BUCKET, KEY, file, { signal });
}

/** Runs `work` while one disk of the store is elsewhere. */
async function withoutDisk(
  { signal }: Setting,
  root: string,
  folder: string,
  work: () => Promise<number>,
): Promise<number> {
  const [place, away] = [path.join(root, LOST), path.join(folder, LOST)];
  await fs.rename(place, away);
  try {
    await dropCaches(signal);
    return await work();
  } finally {
    await fs.rename(away, place);
  }
}
