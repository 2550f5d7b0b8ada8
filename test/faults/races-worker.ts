/**
 * A process that works on a store as it is told: `node races-worker.js <library>`. Each line on stdin is a task, and is
 * answered by a line on stdout; `"stop"` ends the task that runs until told.
 */
import { readFile, rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { buffer } from 'node:stream/consumers';
import type * as Library from '../../src/index.ts';
import { contentTypeOf, makeContent, whyNotWhole } from './races-content.ts';

interface Place {
  root: string;
  bucket: string;
}

/** `beside`: others change the disks meanwhile, so an upload may miss one, and gc may have to wait. */
export type Task = Place &
  (
    | { do: 'put'; key: string; seed: number; create?: boolean }
    /** Lists the bucket `after` times before, so that others get ahead by more or less. */
    | { do: 'remove bucket'; after: number }
    /** Puts one seed after the other, on the keys in turn; reads each back if `verify`. */
    | { do: 'write'; keys: string[]; seeds: number[]; verify?: boolean; beside?: boolean }
    /** Puts keys one after the other, and deletes each again when the next one is there, but for the last. */
    | { do: 'churn'; keys: string[]; seeds: number[]; beside?: boolean }
    // Until told to stop:
    /** `ordered`: nobody deletes, so every read is of the version of the read before or of a newer one. */
    | { do: 'read'; keys: string[]; file?: string; ordered?: boolean }
    | { do: 'list'; keys: string[] }
    | { do: 'delete'; keys: string[] }
    | { do: 'gc'; beside?: boolean }
    | { do: 'care'; what: 'heal' | 'verify' | 'rebalance' }
    /** Adds a disk, and drains and removes the oldest, one after the other. */
    | { do: 'change disks' }
  );

export interface Answer {
  /** How often the work was done, and how often there was nothing to work on. */
  done: number;
  missed: number;
  /** What must never be. */
  problems: string[];
  /** The error's code, where the one thing to do failed with one. */
  code?: string;
}

const { ObjectStore, isStoreError } = (await import(process.argv[2] ?? '')) as typeof Library;
const stores = new Map<string, Library.ObjectStore>();
/** The versions of each key that were read here, and those of them that were read before the key was found missing. */
const seen = new Map<string, Set<string>>();
const buried = new Map<string, Set<string>>();
let stopped = false;
let last: Promise<void> = Promise.resolve();

createInterface({ input: process.stdin }).on('line', (line) => {
  const message = JSON.parse(line) as Task | 'stop';
  if (message === 'stop') stopped = true;
  else last = last.then(() => answer(message));
});

async function answer(task: Task): Promise<void> {
  const result: Answer = { done: 0, missed: 0, problems: [] };
  try {
    await work(task, result);
  } catch (error) {
    result.problems.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  stopped = false;
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

async function open(root: string, create = false): Promise<Library.ObjectStore> {
  const store = stores.get(root) ?? (await ObjectStore.open(root, { create }));
  stores.set(root, store);
  return store;
}

async function work(task: Task, result: Answer): Promise<void> {
  const { bucket } = task;
  const create = task.do === 'put' && task.create === true;
  const store = await open(task.root, create);
  const put = async (key: string, seed: number): Promise<void> => {
    const { failed, offline } = await store.put(bucket, key, makeContent(seed), { contentType: contentTypeOf(seed) });
    const isBeside = 'beside' in task && task.beside;
    if (!isBeside)
      result.problems.push(
        ...failed.map(({ disk, reason }) => `${key} is not on ${disk}: ${reason}`),
        ...offline.map(({ disk }) => `${disk} is offline`),
      );
    result.done++;
  };

  switch (task.do) {
    case 'put':
      if (create) await store.ensureBucket(bucket);
      return expecting(result, ['NO_SUCH_BUCKET'], () => put(task.key, task.seed));
    case 'remove bucket':
      return expecting(result, ['NO_SUCH_BUCKET', 'BUCKET_NOT_EMPTY'], async () => {
        for (let turn = 0; turn < task.after; turn++) await store.list(bucket).next();
        await store.deleteBucket(bucket);
        result.done++;
      });
    case 'write':
      for (const [index, seed] of task.seeds.entries()) {
        const key = task.keys[index % task.keys.length] ?? '';
        await put(key, seed);
        if (task.verify === true) await read(store, bucket, key, undefined, result);
      }
      return;
    case 'churn':
      for (const [index, key] of task.keys.entries()) {
        await put(key, task.seeds[index] ?? 0);
        const before = task.keys[index - 1];
        if (before !== undefined) await store.delete(bucket, before);
      }
      return;
    case 'read':
      return untilStopped(task.keys, async (key) => {
        const missed = result.missed;
        await expecting(result, ['NO_SUCH_KEY'], () => read(store, bucket, key, task.file, result, task.ordered));
        if (result.missed > missed) buried.set(key, new Set(seen.get(key)));
      });
    case 'list':
      return untilStopped(task.keys, async () => {
        const listed: string[] = [];
        for await (const { key } of store.list(bucket)) listed.push(key);
        const wrong = listed.filter((key) => !task.keys.includes(key));
        if (wrong.length > 0) result.problems.push(`listed what nobody stored: ${wrong.join(', ')}`);
        if (new Set(listed).size < listed.length) result.problems.push(`listed twice: ${listed.join(', ')}`);
        result.done++;
      });
    case 'delete':
      return untilStopped(task.keys, async (key) => {
        await expecting(result, ['NO_SUCH_KEY'], async () => {
          await store.delete(bucket, key);
          result.done++;
        });
      });
    case 'gc':
      return untilStopped([''], async () => {
        const { kept } = await store.gc();
        if (task.beside !== true) result.problems.push(...kept.map((reason) => `gc kept leftovers: ${reason}`));
        result.done++;
      });
    case 'care':
      return untilStopped([''], async () => {
        if (task.what === 'rebalance') await store.rebalance();
        else {
          const onObject = ({ key, state, problems }: Library.ObjectHealth): void => {
            if (state === 'lost')
              result.problems.push(
                `${task.what} says that ${key} is lost: ${problems.map(({ reason }) => reason).join(', ')}`,
              );
          };
          await store[task.what]({ onObject });
        }
        result.done++;
      });
    case 'change disks':
      return untilStopped([''], async () => {
        await changeDisks(store);
        result.done++;
      });
  }
}

async function changeDisks(store: Library.ObjectStore): Promise<void> {
  const name = `disk${Math.max(...store.document.disks.map((disk) => Number(disk.name.slice(4)))) + 1}`;
  await store.addDisk(name, `${store.root}/${name}`);
  const oldest = store.document.disks[0]?.name ?? '';
  for (;;) {
    await store.drainDisk(oldest);
    try {
      await store.removeDisk(oldest);
      await rm(`${store.root}/${oldest}`, { recursive: true, force: true });
      return;
    } catch (error) {
      // An upload that had begun before has put something there.
      if (!isStoreError(error, 'DISK_NEEDED')) throw error;
    }
  }
}

async function untilStopped(keys: readonly string[], step: (key: string) => Promise<void>): Promise<void> {
  for (let turn = 0; !stopped; turn++) {
    await step(keys[turn % keys.length] ?? '');
    // Whoever works without ever waiting must still hear that it is to stop.
    await new Promise(setImmediate);
  }
}

async function expecting(result: Answer, codes: Library.ErrorCode[], step: () => Promise<void>): Promise<void> {
  try {
    await step();
  } catch (error) {
    if (!isStoreError(error, ...codes)) throw error;
    result.missed++;
    result.code = error.code;
  }
}

/** Reads a key, as a stream or into a file, and checks that it is one whole version, and not one that was gone before. */
async function read(
  store: Library.ObjectStore,
  bucket: string,
  key: string,
  file: string | undefined,
  result: Answer,
  ordered = false,
): Promise<void> {
  let meta: Library.ObjectMeta;
  let bytes: Buffer;
  if (file === undefined) {
    const got = await store.get(bucket, key);
    meta = got.meta;
    bytes = await buffer(got.body);
  } else {
    meta = await store.getToFile(bucket, key, file);
    bytes = await readFile(file);
    await rm(file);
  }
  const problem = whyNotWhole(bytes, meta.contentType);
  if (problem !== undefined) result.problems.push(`${key}: ${problem}`);
  const versions = seen.get(key) ?? new Set();
  seen.set(key, versions);
  if (buried.get(key)?.has(meta.version) === true)
    result.problems.push(`${key} is there again as ${meta.version}, which was deleted`);
  if (ordered && [...versions].some((version) => version > meta.version))
    result.problems.push(`${key} went back to ${meta.version}`);
  versions.add(meta.version);
  result.done++;
}
