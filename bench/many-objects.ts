import * as path from 'node:path';
import * as library from '../src/index.ts';
import type { ObjectStore } from '../src/index.ts';
import type { Benchmark, Row, Setting } from './support/benchmark.ts';
import { BUCKET } from './support/commands.ts';
import { compare, contest } from './support/contest.ts';
import { checkCount, checkUsage, fillStore, KEYS_PER_FOLDER, OBJECT_BYTES } from './support/many-objects.ts';
import { run, runShell, timed } from './support/process.ts';
import { roomOf, total, type RoomByKind } from './support/room.ts';
import { median } from './support/statistics.ts';

/** Bytes of disk that an object may take, all told: 1.66 GB for 100,000. */
const GOAL_BYTES = 16_600;
const GIGABYTE = 1e9;

export const manyObjects: Benchmark = {
  name: 'many-objects',
  title: 'A store of many small objects',
  compiled: false,
  async run(setting) {
    const { signal, objects } = setting;
    const root = path.join(setting.folder, 'store');
    const store = await fillStore(library, root, setting);
    await run('sync', [], { signal });
    const room = roomOf(root);
    const metas = path.join(root, 'disk1/buckets');
    const times = await contest(
      setting,
      { rounds: 3, warmUp: true },
      {
        list: () => timed(() => listAll(store, setting)),
        usage: () =>
          timed(async () => {
            checkUsage(await store.usage({ signal }), objects);
          }),
        verify: () => timed(() => lookAtAll(store, setting)),
        'find and cat': () =>
          runShell(`find "$1" -name '*.meta.json' -print0 | xargs -0 cat > /dev/null`, [metas], { signal }),
      },
    );
    const many = `${objects.toLocaleString('en')} objects`;
    const cat = { peer: 'find and cat', against: 'find | xargs cat' } as const;
    const rate = Math.round(objects / (median(times.list) / 1000));
    return {
      rows: [
        compare(times, { what: `list of ${many}`, ours: 'list', ...cat, goal: 2.5 }),
        compare(times, { what: `usage of ${many}`, ours: 'usage', ...cat }),
        compare(times, { what: `verify --quick of ${many}`, ours: 'verify', ...cat }),
        roomRow(`disk taken by ${many}`, total(room).bytes, objects),
      ],
      notes: [
        `The store: 3 disks (folders of one file system), objects of ${OBJECT_BYTES} bytes, ${KEYS_PER_FOLDER.toLocaleString('en')} keys a folder.`,
        `list: \`ObjectStore.list\` of the bucket, ${rate.toLocaleString('en')} objects a second: the names on all 3 disks are merged
         and sorted, each object's meta is read from all of them and checked. usage: \`ObjectStore.usage\`, which reads them all too.
         verify --quick: \`ObjectStore.verify\`, which looks besides whether each chunk is there and how long it is.`,
        'find | xargs cat: the metas of one disk, read and thrown away. All metas are in the page cache, for both sides.',
        `disk taken: the blocks that are allocated for all files and folders of the store, in GB of 10⁹ bytes: ${sharesOf(room)}.`,
      ],
    };
  },
};

async function listAll(store: ObjectStore, { objects, signal }: Setting): Promise<void> {
  let count = 0;
  for await (const object of store.list(BUCKET)) {
    signal.throwIfAborted();
    if (object.size === OBJECT_BYTES) count++;
  }
  checkCount('list', count, objects);
}

async function lookAtAll(store: ObjectStore, { objects, signal }: Setting): Promise<void> {
  const { whole } = await store.verify({ quick: true, signal });
  checkCount('verify', whole, objects);
}

function roomRow(what: string, bytes: number, objects: number): Row {
  const goal = objects * GOAL_BYTES;
  return {
    what,
    ours: `${(bytes / GIGABYTE).toFixed(2)} GB`,
    peer: '',
    ratio: '',
    goal: `≤ ${(goal / GIGABYTE).toFixed(2)} GB`,
    verdict: bytes <= goal ? 'met' : 'not met',
  };
}

/** How the room of a store is shared, in words. */
function sharesOf(room: RoomByKind): string {
  const all = total(room);
  return Object.entries(room)
    .map(([kind, { inodes, bytes }]) => {
      const share = ((bytes / all.bytes) * 100).toFixed(0);
      return `${kind} ${share} % (${inodes.toLocaleString('en')} inodes)`;
    })
    .join(', ');
}
