import * as path from 'node:path';
import { ObjectStore } from '../src/index.ts';
import type { Benchmark, Result, Row, Setting } from './support/benchmark.ts';
import { BUCKET, downloadFolderArgs, uploadFolderArgs } from './support/commands.ts';
import { compare, contest, type Comparison, type Contender } from './support/contest.ts';
import { findBorg, findRclone, findRestic, repositoryIn, type Peer } from './support/peers.ts';
import { run } from './support/process.ts';
import { writeSmallFiles } from './support/small-files.ts';

const FILES = 3000;

/** MiB that a turn writes at most, in blocks of 4 KiB: a chunk of 8 KiB and three metas for each file, and some to spare. */
const WRITES = (FILES * 8 * 4096) / 1024 ** 2;

export const smallFiles: Benchmark = {
  name: 'small-files',
  title: 'Many small files through the command line',
  compiled: true,
  async run(setting) {
    const { signal } = setting;
    const files = path.join(setting.folder, 'files');
    await writeSmallFiles(files, { count: FILES, least: 200, most: 16 * 1024 });
    const peers: Peers = {
      restic: await findRestic(signal),
      borg: await findBorg(signal),
      rclone: await findRclone(signal),
    };
    return {
      rows: [...(await measureUpload(setting, files, peers)), ...(await measureDownload(setting, files, peers))],
      notes: notesOn(peers),
    };
  },
};

/** The programs that are compared, where they are installed. */
type Peers = Record<'restic' | 'borg' | 'rclone', Peer | undefined>;

async function measureUpload(setting: Setting, files: string, { restic, borg, rclone }: Peers): Promise<Row[]> {
  const { signal } = setting;
  const times = await contest(
    setting,
    { rounds: 5, writes: WRITES, keep: true },
    {
      upload: async (folder) => {
        const root = await emptyStore(folder);
        return run('node', uploadFolderArgs(setting, root, files), { signal });
      },
      restic: restic && storing(restic, files),
      borg: borg && storing(borg, files),
      'upload without syncs': async (folder) => {
        const root = await emptyStore(folder);
        return run('node', uploadFolderArgs(setting, root, files, '--durability', 'none'), { signal });
      },
      rclone: rclone && storing(rclone, files),
      'rclone, then sync':
        rclone &&
        (async (folder) => (await storing(rclone, files)(folder)) + (await run('sync', ['-f', folder], { signal }))),
    },
  );
  type Name = keyof typeof times;
  const row = (comparison: Omit<Comparison<Name>, 'what'>): Row =>
    compare(times, { what: `upload -r of ${FILES.toLocaleString('en')} files`, ...comparison });
  return [
    row({ ours: 'upload', peer: 'restic', against: 'restic backup', goal: 1 }),
    row({ ours: 'upload', peer: 'borg', against: 'borg create' }),
    row({ ours: 'upload', peer: 'rclone, then sync', against: 'rclone copy, then sync -f' }),
    compare(times, {
      what: `upload -r --durability none of ${FILES.toLocaleString('en')} files`,
      ours: 'upload without syncs',
      peer: 'rclone',
      against: 'rclone copy --transfers 8',
      goal: 2.5,
    }),
  ];
}

async function measureDownload(setting: Setting, files: string, { restic, borg, rclone }: Peers): Promise<Row[]> {
  const { signal } = setting;
  const root = await emptyStore(setting.folder);
  await run('node', uploadFolderArgs(setting, root, files), { signal });
  const restoring = async (peer: Peer | undefined, name: string): Promise<Contender | undefined> => {
    if (peer === undefined) return undefined;
    const repository = path.join(setting.folder, name);
    await peer.init(repository);
    await peer.store(repository, files);
    return (folder) => peer.restore(repository, folder);
  };
  const times = await contest(
    setting,
    { rounds: 5, writes: WRITES, keep: true },
    {
      download: async (folder) => {
        const milliseconds = await run('node', downloadFolderArgs(setting, root, folder), { signal });
        await run('diff', ['-r', files, folder], { signal });
        return milliseconds;
      },
      restic: await restoring(restic, 'restic'),
      borg: await restoring(borg, 'borg'),
      rclone: await restoring(rclone, 'rclone'),
    },
  );
  type Name = keyof typeof times;
  const row = (comparison: Omit<Comparison<Name>, 'what'>): Row =>
    compare(times, { what: `download -r of ${FILES.toLocaleString('en')} files`, ...comparison });
  return [
    row({ ours: 'download', peer: 'restic', against: 'restic restore', goal: 1 }),
    row({ ours: 'download', peer: 'borg', against: 'borg extract' }),
    row({ ours: 'download', peer: 'rclone', against: 'rclone copy --transfers 8' }),
  ];
}

/** Stores the files in a repository that is made before the time is taken. */
function storing(peer: Peer, files: string): Contender {
  return async (folder) => {
    const repository = repositoryIn(folder);
    await peer.init(repository);
    return peer.store(repository, files);
  };
}

/** Makes a store, and its bucket, in a folder. */
async function emptyStore(folder: string): Promise<string> {
  const root = path.join(folder, 'store');
  const store = await ObjectStore.init(root);
  await store.createBucket(BUCKET);
  return root;
}

function notesOn(peers: Peers): Result['notes'] {
  const missing = Object.entries(peers).flatMap(([name, peer]) => (peer === undefined ? [name] : []));
  const notes = [
    `The files: ${FILES.toLocaleString('en')} of 0.2 to 16 KiB of random bytes, the same every time, in 50 folders. All that
     is read is in the page cache. Each program's time is from the start of its process to its end, and its empty store or
     repository is made before. What a turn wrote is kept to the end of the whole run, because ext4 makes new files slowly
     for a while after many have been removed.`,
    `upload -r: \`node dist/bin/upload.js bench -r\` into a store of 3 disks (folders of one file system): a chunk and 3
     metas for each file, all of them durable; with \`--durability none\` nothing is synced.`,
    `download -r: \`node dist/bin/download.js -r bench\` into an empty folder. Each file is checked, durable before it has its
     name, and compared with the source after the time is taken.`,
  ];
  if (peers.restic !== undefined)
    notes.push(
      `${peers.restic.name}: \`backup\` and \`restore\`, without a cache. It packs files together, and encrypts.`,
    );
  if (peers.borg !== undefined)
    notes.push(`${peers.borg.name}: \`create\` and \`extract\`, without encryption. It packs files together.`);
  if (peers.rclone !== undefined)
    notes.push(
      `${peers.rclone.name}: \`copy --transfers 8\` from folder to folder, a file for each file; it syncs nothing.`,
    );
  if (missing.length > 0) notes.push(`Left out, because it is not installed here: ${missing.join(', ')}.`);
  return notes;
}
