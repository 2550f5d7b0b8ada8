import * as path from 'node:path';
import pMap from 'p-map';
import { ObjectStore } from '../src/index.ts';
import type { Benchmark, Setting } from './support/benchmark.ts';
import { BUCKET } from './support/commands.ts';
import { compare, contest } from './support/contest.ts';
import { runShell, timed } from './support/process.ts';
import { median } from './support/statistics.ts';

const KEYS_PER_FOLDER = 1000;

export const listing: Benchmark = {
  name: 'list',
  title: 'List of many objects',
  compiled: false,
  async run(setting) {
    const { signal, objects } = setting;
    const root = path.join(setting.folder, 'store');
    const store = await fillStore(root, setting);
    const metas = path.join(root, 'disk1/buckets');
    const times = await contest(
      setting,
      { rounds: 3, warmUp: true },
      {
        list: () => timed(() => countAll(store, setting)),
        'find and cat': () =>
          runShell(`find "$1" -name '*.meta.json' -print0 | xargs -0 cat > /dev/null`, [metas], { signal }),
      },
    );
    const rate = Math.round(objects / (median(times.list) / 1000));
    return {
      rows: [
        compare(times, {
          what: `list of ${objects.toLocaleString('en')} objects`,
          ours: 'list',
          peer: 'find and cat',
          against: 'find | xargs cat',
        }),
      ],
      notes: [
        `list: \`ObjectStore.list\` of a bucket with ${KEYS_PER_FOLDER.toLocaleString('en')} keys a folder, ${rate.toLocaleString('en')}
         objects a second: the names on all 3 disks are merged and sorted, each object's meta is read from all of them and checked.`,
        'find | xargs cat: the metas of one disk, read and thrown away. All metas are in the page cache, for both sides.',
      ],
    };
  },
};

async function fillStore(root: string, { objects, signal }: Setting): Promise<ObjectStore> {
  const store = await ObjectStore.init(root, { durability: 'none' });
  await store.createBucket(BUCKET);
  const byte = Buffer.from('x');
  process.stderr.write(`  putting ${objects} objects\n`);
  const put = (_: unknown, index: number): Promise<unknown> =>
    store.put(BUCKET, `folder-${Math.floor(index / KEYS_PER_FOLDER)}/object-${index}`, byte);
  await pMap(Array.from({ length: objects }), put, { concurrency: 64, signal });
  return store;
}

async function countAll(store: ObjectStore, { objects, signal }: Setting): Promise<void> {
  let count = 0;
  for await (const object of store.list(BUCKET)) {
    signal.throwIfAborted();
    if (object.size === 1) count++;
  }
  if (count !== objects) throw new Error(`the list has ${count} objects, ${objects} were put`);
}
