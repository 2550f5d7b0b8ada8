import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { ObjectStore } from '../src/index.ts';
import type { Benchmark, Result, Row, Setting } from './support/benchmark.ts';
import { BUCKET, downloadArgs, uploadArgs } from './support/commands.ts';
import { formatSize, writeRandomFile, writeSparseFile } from './support/data.ts';
import { run } from './support/process.ts';

const GOAL_MEBIBYTES = 150;
const GOAL_META_BYTES = 200;

/** Room that an object takes here at most: its chunks and its download, and some to spare. */
const ROOM_PER_OBJECT = 2.5;

const KEY = 'data.bin';

export const memory: Benchmark = {
  name: 'memory',
  title: 'Peak memory and size of metas',
  compiled: true,
  async run(setting) {
    const { mebibytes, sparseMebibytes, signal } = setting;
    const idle = await peakOf(setting, ['-e', '0']);
    const data = path.join(setting.folder, KEY);
    await writeRandomFile(data, mebibytes, signal);
    const rows = await measure(setting, data, mebibytes, formatSize(mebibytes));
    const result: Result = {
      rows,
      notes: [
        `peak memory: the most that the process of \`node dist/bin/upload.js\` or \`download.js\` ever had resident. Node with
         nothing to do has ${idle.toFixed(0)} MiB.`,
        'bytes of meta per chunk: size of the `.meta.json` divided by the chunks that it lists; each disk has one copy.',
      ],
    };
    const { bavail, bsize } = await fs.statfs(setting.folder);
    const free = (bavail * bsize) / 1024 ** 2;
    if (free < sparseMebibytes * ROOM_PER_OBJECT) {
      const needed = formatSize(Math.ceil((sparseMebibytes * ROOM_PER_OBJECT) / 1024) * 1024);
      result.notes.push(
        `The sparse object of ${formatSize(sparseMebibytes)} was left out: it needs ${needed} of free room.`,
      );
      return result;
    }
    await writeSparseFile(data, sparseMebibytes);
    rows.push(...(await measure(setting, data, sparseMebibytes, `${formatSize(sparseMebibytes)} (sparse)`)));
    return result;
  },
};

/** Uploads a file, downloads it to a file and to standard output (thrown away), and looks at its meta. The file goes at once. */
async function measure(setting: Setting, file: string, mebibytes: number, size: string): Promise<Row[]> {
  const folder = await fs.mkdtemp(path.join(setting.folder, 'memory-'));
  try {
    const root = path.join(folder, 'store');
    const uploading = await peakOf(setting, uploadArgs(setting, root, file));
    await fs.rm(file);
    const target = path.join(folder, 'out.bin');
    const downloading = await peakOf(setting, downloadArgs(setting, root, KEY, target));
    await fs.rm(target);
    const streaming = await peakOf(setting, downloadArgs(setting, root, KEY, '-'));
    const store = await ObjectStore.open(root);
    const { chunks } = await store.head(BUCKET, KEY);
    if (chunks.length !== mebibytes) throw new Error(`${chunks.length} chunks where ${mebibytes} should be`);
    const meta = await fs.stat(path.join(root, `disk1/buckets/${BUCKET}/${KEY}.meta.json`));
    return [
      memoryRow(`peak memory, upload ${size}`, uploading),
      memoryRow(`peak memory, download ${size}`, downloading),
      memoryRow(`peak memory, download ${size} to standard output`, streaming),
      limitRow(`meta per chunk and disk, ${size}`, meta.size / chunks.length, GOAL_META_BYTES, 'bytes'),
    ];
  } finally {
    await fs.rm(folder, { recursive: true, force: true });
  }
}

/** Runs Node, and gives the most MiB that its process had resident. */
async function peakOf({ repository, folder, signal }: Setting, args: string[]): Promise<number> {
  const report = path.join(folder, 'peak-memory.txt');
  const preload = path.join(repository, 'bench/support/peak-memory.js');
  await run('node', ['--import', preload, ...args], { signal, env: { PEAK_MEMORY_FILE: report } });
  const kibibytes = Number(await fs.readFile(report, 'utf8'));
  if (!(kibibytes > 0)) throw new Error('the process did not report its memory');
  await fs.rm(report);
  return kibibytes / 1024;
}

function memoryRow(what: string, mebibytes: number): Row {
  process.stderr.write(`  ${what}: ${mebibytes.toFixed(0)} MiB\n`);
  return limitRow(what, mebibytes, GOAL_MEBIBYTES, 'MiB');
}

function limitRow(what: string, found: number, limit: number, unit: string): Row {
  return {
    what,
    ours: `${found.toFixed(0)} ${unit}`,
    peer: '',
    ratio: '',
    goal: `< ${limit} ${unit}`,
    verdict: found < limit ? 'met' : 'not met',
  };
}
