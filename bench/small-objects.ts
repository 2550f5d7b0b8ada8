import { randomBytes } from 'node:crypto';
import * as path from 'node:path';
import pMap from 'p-map';
import { ObjectStore } from '../src/index.ts';
import { BareStore, OPERATIONS } from './bare-store.ts';
import type { Benchmark } from './support/benchmark.ts';
import { BUCKET } from './support/commands.ts';
import { compare, contest } from './support/contest.ts';
import { timed } from './support/process.ts';

const OBJECTS = 1000;
const BYTES = 4096;
const AT_A_TIME = 32;

/** MiB that all of them take, in blocks of 4 KiB: a chunk, its folder, and three metas each. */
const WRITES = (OBJECTS * 5 * 4096) / 1024 ** 2;

export const smallObjects: Benchmark = {
  name: 'small-objects',
  title: 'Many small objects through the library',
  compiled: false,
  async run(setting) {
    const objects = Array.from({ length: OBJECTS }, () => randomBytes(BYTES));
    const each = (work: (bytes: Buffer, index: number) => Promise<unknown>): Promise<number> =>
      timed(() => pMap(objects, work, { concurrency: AT_A_TIME, signal: setting.signal }));
    let bare = new BareStore('');

    const times = await contest(
      setting,
      { rounds: 7, warmUp: true, writes: WRITES, keep: true },
      {
        put: async (folder) => {
          const store = await ObjectStore.init(path.join(folder, 'store'));
          await store.createBucket(BUCKET);
          return each((bytes, index) => store.put(BUCKET, `object-${index}`, bytes));
        },
        'bare operations': async (folder) => {
          bare = await BareStore.make(folder);
          return each((bytes, index) => bare.put(`object-${index}`, bytes));
        },
        'bare, shared syncs': async (folder) => {
          const shared = await BareStore.make(folder, { shareFolderSyncs: true });
          return each((bytes, index) => shared.put(`object-${index}`, bytes));
        },
      },
    );
    const what = `put of ${OBJECTS.toLocaleString('en')} objects of 4 KiB`;
    const perObject = bare.calls / bare.objects;
    return {
      rows: [
        compare(times, { what, ours: 'put', peer: 'bare operations', against: 'bare operations', goal: 1.5 }),
        compare(times, { what, ours: 'put', peer: 'bare, shared syncs', against: 'bare, shared syncs' }),
      ],
      notes: [
        `put: \`ObjectStore.put\` of buffers, ${AT_A_TIME} at a time, durable, into an empty store of 3 disks (folders of one
         file system). Both sides run in the benchmark's own process, after a round to warm up.`,
        `bare operations: the file operations that the guarantees need and nothing else, ${perObject.toFixed(0)} calls an object
         (counted), ${AT_A_TIME} objects at a time: ${OPERATIONS}.`,
        'bare, shared syncs: the same, but objects that sync one folder at the same time share one sync, as the library does.',
      ],
    };
  },
};
