import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { ObjectStore } from '../src/index.ts';
import type { Benchmark } from './support/benchmark.ts';
import { BUCKET, downloadArgs } from './support/commands.ts';
import { compare, contest } from './support/contest.ts';
import { chunkPaths, formatSize, writeRandomFile } from './support/data.ts';
import { run, runShell, timed } from './support/process.ts';

const KEY = 'data.bin';

export const download: Benchmark = {
  name: 'download',
  title: 'Download of one large object',
  compiled: true,
  async run(setting) {
    const { signal, mebibytes } = setting;
    const root = path.join(setting.folder, 'store');
    const list = path.join(setting.folder, 'chunks.txt');
    const store = await makeStore(root, setting.folder, mebibytes, signal);
    const paths = chunkPaths(await store.head(BUCKET, KEY));
    await fs.writeFile(list, `${paths.join('\n')}\n`);
    await runShell('xargs cat < "$1" > /dev/null', [list], { signal, cwd: root });

    const cat = 'xargs cat < "$1" > "$2"';
    const target = (folder: string): string => path.join(folder, 'out.bin');
    const times = await contest(
      setting,
      { rounds: 7, writes: mebibytes },
      {
        command: (folder) => run('node', downloadArgs(setting, root, KEY, target(folder)), { signal }),
        cat: (folder) => runShell(cat, [list, target(folder)], { signal, cwd: root }),
        library: (folder) => timed(() => store.getToFile(BUCKET, KEY, target(folder), { signal })),
        stream: () => timed(async () => drain((await store.get(BUCKET, KEY, { signal })).body)),
        'cat and sync': (folder) => runShell(`${cat} && sync "$2"`, [list, target(folder)], { signal, cwd: root }),
      },
    );
    const size = formatSize(mebibytes);
    return {
      rows: [
        compare(times, {
          what: `download ${size}`,
          ours: 'command',
          peer: 'cat',
          against: 'cat chunks > file',
          goal: 1,
        }),
        compare(times, { what: `download ${size}`, ours: 'command', peer: 'cat and sync', against: 'cat, then sync' }),
        compare(times, {
          what: `library getToFile of ${size}`,
          ours: 'library',
          peer: 'cat',
          against: 'cat chunks > file',
        }),
        compare(times, {
          what: `library get of ${size}`,
          ours: 'stream',
          peer: 'library',
          against: 'getToFile',
          goal: 1,
        }),
      ],
      notes: [
        `download: \`node dist/bin/download.js\`, from the start of the process to its end: every chunk checked against its
         SHA-256, the file synced and renamed into place, its folder synced. All chunks are in the page cache, for both sides.`,
        'cat chunks > file: the same chunk files in order, with `xargs cat`, into a new file. It neither checks nor syncs.',
        'cat, then sync: the same, and then `sync` of the file: as durable as the download, without checks.',
        'library getToFile: the same reading inside the process of the benchmark, from an open store.',
        'library get: the same as a stream, every piece of which is dropped when it comes; getToFile writes and syncs it.',
      ],
    };
  },
};

async function drain(body: Readable): Promise<void> {
  body.resume();
  await finished(body);
}

async function makeStore(root: string, folder: string, mebibytes: number, signal: AbortSignal): Promise<ObjectStore> {
  const file = path.join(folder, KEY);
  await writeRandomFile(file, mebibytes, signal);
  const store = await ObjectStore.init(root);
  await store.createBucket(BUCKET);
  await store.put(BUCKET, KEY, file, { signal });
  await fs.rm(file);
  return store;
}
