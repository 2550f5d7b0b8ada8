import * as fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import threads from 'node:worker_threads';
import type * as library from '../../src/index.ts';

/**
 * Runs every operation on a store with only so many descriptors left, and prints a line of JSON for each: what it came to, and
 * the objects that it called anything but whole.
 */
/** Disks' threads that have not ended: each has some descriptors. */
let alive = 0;
const { Worker } = threads;
threads.Worker = class extends Worker {
  constructor(...args: ConstructorParameters<typeof Worker>) {
    super(...args);
    if (!String(args[0]).includes('file-thread')) return;
    alive++;
    this.on('exit', () => alive--);
  }
};
syncBuiltinESMExports();

const [libraryPath = '', root = '', leave = '0', target = ''] = process.argv.slice(2);
const { ObjectStore, isStoreError } = (await import(libraryPath)) as typeof library;
const store = await ObjectStore.open(root);
const wrong: string[] = [];
const onObject = ({ key, state }: library.ObjectHealth): void => {
  if (state !== 'whole') wrong.push(`${key} is ${state}`);
};
const operations: Record<string, () => Promise<unknown>> = {
  verify: () => store.verify({ onObject }),
  'verify --quick': () => store.verify({ quick: true, onObject }),
  list: async () => {
    let found = 0;
    for await (const { key } of store.list('bucket')) if (key !== '') found++;
    if (found === 0) throw new Error('the list is empty');
  },
  get: async () => {
    let size = 0;
    for await (const bytes of (await store.get('bucket', 'large')).body) size += (bytes as Buffer).length;
    if (size === 0) throw new Error('the object is empty');
  },
  download: () => store.getToFile('bucket', 'large', target, {}),
  usage: () => store.usage(),
  heal: () => store.heal({ onObject }),
  gc: () => store.gc(),
  put: () => store.put('bucket', 'new', Buffer.from('new')),
  delete: () => store.delete('bucket', 'key 7'),
};
// Once each with all that it takes, so that every part of the program is loaded.
for (const name of ['list', 'get', 'download', 'verify']) await operations[name]?.();
// They end by themselves when they have nothing to do, and must not do so in the midst of an operation.
while (alive > 0) await sleep(20);
const held: number[] = [];
/** Takes all descriptors but so many. */
function hold(): void {
  try {
    for (;;) held.push(fs.openSync('/dev/null', 'r'));
  } catch {
    for (const fd of held.splice(0, Number(leave))) fs.closeSync(fd);
  }
}
for (const [name, run] of Object.entries(operations)) {
  hold();
  wrong.length = 0;
  let outcome: unknown;
  try {
    await run();
    outcome = { done: true };
  } catch (error) {
    outcome = isStoreError(error)
      ? { code: error.code, message: error.message, disk: error.details.disk }
      : { bug: String(error) };
  }
  fs.writeSync(1, `${JSON.stringify({ name, outcome, wrong })}\n`);
}
for (const fd of held) fs.closeSync(fd);
