import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { ObjectStore } from '../src/index.ts';
import type { Benchmark, Setting } from './support/benchmark.ts';
import { BUCKET, uploadArgs } from './support/commands.ts';
import { compare, contest } from './support/contest.ts';
import { formatSize, writeRandomFile } from './support/data.ts';
import { run, runShell, timed } from './support/process.ts';

export const upload: Benchmark = {
  name: 'upload',
  title: 'Upload of one large object',
  compiled: true,
  async run(setting) {
    const { signal, mebibytes } = setting;
    const file = path.join(setting.folder, 'data.bin');
    await writeRandomFile(file, mebibytes, signal);
    const times = await contest(
      setting,
      { rounds: 7, writes: mebibytes },
      {
        command: (folder) => run('node', uploadArgs(setting, path.join(folder, 'store'), file), { signal }),
        split: async (folder) =>
          runShell('split -b 1M -a 6 -d "$1" "$2/"', [file, await chunkFolder(folder)], { signal }),
        library: (folder) => putOnce(setting, folder, file),
        'split and sync': async (folder) =>
          runShell('split -b 1M -a 6 -d "$1" "$2/" && sync "$2"/* "$2"', [file, await chunkFolder(folder)], { signal }),
        cp: (folder) => run('cp', [file, path.join(folder, 'copy')], { signal }),
      },
    );
    const size = formatSize(mebibytes);
    return {
      rows: [
        compare(times, { what: `upload ${size}`, ours: 'command', peer: 'split', against: 'split -b 1M', goal: 1 }),
        compare(times, {
          what: `upload ${size}`,
          ours: 'command',
          peer: 'split and sync',
          against: 'split, then sync',
        }),
        compare(times, { what: `upload ${size}`, ours: 'command', peer: 'cp', against: 'cp' }),
        compare(times, { what: `library put of ${size}`, ours: 'library', peer: 'split', against: 'split -b 1M' }),
      ],
      notes: [
        `upload: \`node dist/bin/upload.js\`, from the start of the process to its end, puts a file of random bytes into a
         store that it makes first: chunks of 1 MiB over 3 disks (folders of one file system), SHA-256 of every chunk, fsync
         of every chunk, meta and folder. The file is in the page cache.`,
        'split -b 1M: cuts the same file into files of 1 MiB in one folder. It neither hashes nor syncs.',
        'split, then sync: the same, and then `sync` of every file and of the folder: as durable as the upload, without checksums.',
        'cp: one copy of the file, not synced.',
        'library put: `ObjectStore.put` of the file inside the process of the benchmark, into a store that is there.',
      ],
    };
  },
};

async function putOnce({ signal }: Setting, folder: string, file: string): Promise<number> {
  const store = await ObjectStore.init(path.join(folder, 'store'));
  await store.createBucket(BUCKET);
  return timed(() => store.put(BUCKET, 'data.bin', file, { signal }));
}

/** A folder like the one that an upload's chunks go to. */
async function chunkFolder(folder: string): Promise<string> {
  const chunks = path.join(folder, 'disk1/chunks/version');
  await fs.mkdir(chunks, { recursive: true });
  return chunks;
}
