import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import pMap from 'p-map';
import type { Benchmark, Row, Setting } from './support/benchmark.ts';
import { BUCKET, downloadArgs, uploadArgs, type Build } from './support/commands.ts';
import { compare, contest, type Comparison, type Contender } from './support/contest.ts';
import { formatSize, writeRandomFile } from './support/data.ts';
import { loadLibrary } from './support/library.ts';
import { checkUsage, fillStore } from './support/many-objects.ts';
import { run, timed } from './support/process.ts';

const PUTS = 10_000;
const PUT_BYTES = 4096;
const CALLERS = 32;
const KEY = 'data.bin';

/** MiB that the puts take, in blocks of 4 KiB: a chunk, a folder of its own where there is one, and three metas each. */
const PUT_WRITES = (PUTS * 5 * 4096) / 1024 ** 2;

const PUT_GOAL = 0.5;
const USAGE_GOAL = 0.3;

/** No slower; a twentieth is left to chance, so that a build passes against itself. */
const LARGE_GOAL = 1.05;

export const earlierBuild: Benchmark = {
  name: 'earlier-build',
  title: 'Against an earlier build',
  compiled: true,
  async run(setting) {
    const { base, repository, objects } = setting;
    if (base === undefined)
      return { rows: [], notes: ['Left out, because `--base` named no earlier checkout to compare with.'] };
    const builds: Builds = { now: { repository }, earlier: { repository: base } };
    return {
      rows: [
        await measurePuts(setting, builds),
        await measureUsage(setting, builds),
        ...(await measureLarge(setting, builds)),
      ],
      notes: [
        `put: \`ObjectStore.put\` of random bytes, ${CALLERS} at a time, durable, into an empty store of 3 disks (folders of one file
         system). usage: \`ObjectStore.usage\` of a store of ${objects.toLocaleString('en')} objects that the same build has filled; all metas
         are in the page cache. Both builds are compiled, and run in the benchmark's own process after a round to warm up.`,
        `upload, download: \`node dist/bin/upload.js\` and \`download.js\`, from the start of the process to its end; all that is read
         is in the page cache. "No slower" leaves a twentieth to chance.`,
      ],
    };
  },
};

/** This checkout, and the earlier one. */
type Builds = Record<'now' | 'earlier', Build>;

async function measurePuts(setting: Setting, builds: Builds): Promise<Row> {
  const objects = Array.from({ length: PUTS }, () => randomBytes(PUT_BYTES));
  const putting = async (build: Build): Promise<Contender> => {
    const { ObjectStore } = await loadLibrary(build);
    return async (folder) => {
      const store = await ObjectStore.init(path.join(folder, 'store'));
      await store.createBucket(BUCKET);
      const put = (bytes: Buffer, index: number): Promise<unknown> => store.put(BUCKET, `object-${index}`, bytes);
      return timed(() => pMap(objects, put, { concurrency: CALLERS, signal: setting.signal }));
    };
  };
  const times = await contest(
    setting,
    { rounds: 3, warmUp: true, writes: PUT_WRITES, keep: true },
    { now: await putting(builds.now), earlier: await putting(builds.earlier) },
  );
  const what = `${PUTS.toLocaleString('en')} puts of 4 KiB by ${CALLERS} callers`;
  return compare(times, { what, ...AGAINST_EARLIER, goal: PUT_GOAL });
}

async function measureUsage(setting: Setting, builds: Builds): Promise<Row> {
  const { objects, signal } = setting;
  const counting = async (build: Build, name: string): Promise<Contender> => {
    const store = await fillStore(await loadLibrary(build), path.join(setting.folder, name), setting);
    return () =>
      timed(async () => {
        checkUsage(await store.usage({ signal }), objects);
      });
  };
  const times = await contest(
    setting,
    { rounds: 3, warmUp: true },
    { now: await counting(builds.now, 'many-now'), earlier: await counting(builds.earlier, 'many-earlier') },
  );
  const what = `usage of ${objects.toLocaleString('en')} objects`;
  return compare(times, { what, ...AGAINST_EARLIER, goal: USAGE_GOAL });
}

async function measureLarge(setting: Setting, builds: Builds): Promise<Row[]> {
  const { mebibytes, signal } = setting;
  const file = path.join(setting.folder, KEY);
  await writeRandomFile(file, mebibytes, signal);
  const uploading = (build: Build): Contender => {
    return (folder) => run('node', uploadArgs(build, path.join(folder, 'store'), file), { signal });
  };
  const downloading = async (build: Build, name: string): Promise<Contender> => {
    const root = path.join(setting.folder, name);
    await run('node', uploadArgs(build, root, file), { signal });
    return (folder) => run('node', downloadArgs(build, root, KEY, path.join(folder, 'out.bin')), { signal });
  };
  const options = { rounds: 7, writes: mebibytes };
  const uploads = await contest(setting, options, {
    now: uploading(builds.now),
    earlier: uploading(builds.earlier),
  });
  const downloads = await contest(setting, options, {
    now: await downloading(builds.now, 'large-now'),
    earlier: await downloading(builds.earlier, 'large-earlier'),
  });
  await fs.rm(file);
  const size = formatSize(mebibytes);
  return [
    compare(uploads, { what: `upload ${size}`, ...AGAINST_EARLIER, goal: LARGE_GOAL }),
    compare(downloads, { what: `download ${size}`, ...AGAINST_EARLIER, goal: LARGE_GOAL }),
  ];
}

const AGAINST_EARLIER = {
  ours: 'now',
  peer: 'earlier',
  against: 'earlier build',
} as const satisfies Partial<Comparison<'now' | 'earlier'>>;
