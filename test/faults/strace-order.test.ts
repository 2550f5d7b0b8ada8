import * as path from 'node:path';
import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ObjectStore } from '../../src/index.ts';
import { compiledDoor, type Door } from '../support/build.ts';
import { tempFolder } from '../support/temp.ts';
import { BUCKET, NEW } from './crash-scenarios.ts';
import { changesState, pathsOf } from './strace-points.ts';
import { STATE_CALLS, straceProblem, traceNode, type Call } from './strace.ts';

const problem = straceProblem();
if (problem !== undefined) console.warn(`SKIPPED, nothing is proved about the order of writes: ${problem}`);

const DISKS = ['disk1', 'disk2', 'disk3'];

/** The store's calls of one command, each a string such as `fsync disk1/chunks`, and when it began and ended. */
interface Step {
  what: string;
  began: number;
  ended: number;
}

describe.skipIf(problem !== undefined)('the order of system calls that durability rests on', () => {
  test('an upload makes its chunks and their names durable before the first meta is published', async () => {
    const { steps } = await trace('upload', (root, input) => [
      BUCKET,
      input,
      '--key',
      'a/demo.txt',
      '--root',
      root,
      '--json',
    ]);
    const firstMeta = first(steps, /^rename \S+ disk\d\/buckets\/my-bucket\/a\/demo\.txt\.meta\.json$/);
    const chunks = matching(steps, /^pwrite64 disk\d\/chunks\/\S+\.chunk$/).map(({ what }) => what.split(' ')[1] ?? '');
    expect(new Set(chunks).size).toBe(3);
    for (const chunk of chunks) {
      const order = [
        last(steps, `pwrite64 ${chunk}`),
        first(steps, `fsync ${chunk}`),
        first(steps, `fsync ${path.dirname(chunk)}`),
        first(steps, `fsync ${path.dirname(path.dirname(chunk))}`),
        firstMeta,
      ];
      expectOrder(order);
    }
  });

  test('an upload syncs each meta before its rename, and the folders above it after, all before the result is out', async () => {
    const { steps, result } = await trace('upload', (root, input) => [
      BUCKET,
      input,
      '--key',
      'a/demo.txt',
      '--root',
      root,
      '--json',
    ]);
    for (const disk of DISKS) {
      const rename = first(
        steps,
        new RegExp(`^rename ${disk}/tmp/\\S+ ${disk}/buckets/my-bucket/a/demo\\.txt\\.meta\\.json$`),
      );
      const staged = rename.what.split(' ')[1] ?? '';
      const order = [
        last(steps, `pwrite64 ${staged}`),
        first(steps, `fsync ${staged}`),
        rename,
        first(steps, `fsync ${disk}/buckets/my-bucket/a`),
        first(steps, `fsync ${disk}/buckets/my-bucket`),
        result,
      ];
      expectOrder(order);
    }
  });

  test('an upload removes the version before only when the new metas are durable', async () => {
    const { steps } = await trace(
      'upload',
      (root, input) => [BUCKET, input, '--key', 'demo.txt', '--root', root, '--json'],
      (store) => store.put(BUCKET, 'demo.txt', NEW),
    );
    const removals = matching(steps, /^unlink disk\d\/chunks\//);
    expect(removals).toHaveLength(3);
    for (const disk of DISKS) {
      const rename = first(steps, new RegExp(`^rename .* ${disk}/buckets/my-bucket/demo\\.txt\\.meta\\.json$`));
      const sync = last(steps, `fsync ${disk}/buckets/my-bucket`);
      for (const removal of removals) expectOrder([rename, sync, removal]);
    }
  });

  test('the first upload of all makes every folder and mark durable before store.json says that they are there', async () => {
    const { steps, result } = await trace(
      'upload',
      (root, input) => [BUCKET, input, '--key', 'k', '--root', root, '--json'],
      null,
    );
    const rename = first(steps, 'rename .store.json.plan store.json');
    const plan = [
      last(steps, 'pwrite64 .store.json.plan'),
      first(steps, 'fsync .store.json.plan'),
      first(steps, 'fsync .'),
    ];
    for (const disk of DISKS) {
      const mark = first(steps, `fsync ${disk}/disk.json`);
      expectOrder([...plan, first(steps, `mkdir ${disk}`)]);
      expectOrder([last(steps, `pwrite64 ${disk}/disk.json`), mark, rename]);
      expect(
        steps.some(({ what, began, ended }) => what === `fsync ${disk}` && began > mark.ended && ended < rename.began),
      ).toBe(true);
    }
    const after = steps.filter(({ what, began }) => what === 'fsync .' && began > rename.ended);
    expectOrder([rename, ...after.slice(0, 1), result]);
    expect(after.length).toBeGreaterThan(0);
  });

  test('with --durability none an upload syncs nothing', async () => {
    const { steps } = await trace('upload', (root, input) => [
      BUCKET,
      input,
      '--key',
      'k',
      '--root',
      root,
      '--json',
      '--durability',
      'none',
    ]);
    expect(matching(steps, /^rename .*meta\.json$/)).toHaveLength(3);
    expect(matching(steps, /^f(data)?sync /)).toEqual([]);
  });

  test('a delete unlinks its metas, durably, before the first chunk', async () => {
    const { steps, result } = await trace(
      'store',
      (root) => ['rm', `${BUCKET}/a/demo.txt`, '--root', root, '--json'],
      (store) => store.put(BUCKET, 'a/demo.txt', NEW),
    );
    const firstChunk = first(steps, /^unlink disk\d\/chunks\/\S+\.chunk$/);
    for (const disk of DISKS) {
      const folder = `${disk}/buckets/my-bucket/a`;
      expectOrder([first(steps, `unlink ${folder}/demo.txt.meta.json`), first(steps, `fsync ${folder}`), firstChunk]);
      expectOrder([first(steps, `fsync ${folder}`), result]);
    }
    expect(matching(steps, /^unlink disk\d\/chunks\/\S+\.chunk$/)).toHaveLength(3);
  });
});

/** Runs a command on a store with a bucket, or with `null` on none, and gives the store's calls and the result's. */
async function trace(
  door: Door,
  args: (root: string, input: string) => string[],
  prepare: ((store: ObjectStore) => Promise<unknown>) | null = () => Promise.resolve(),
): Promise<{ steps: Step[]; result: Step }> {
  const folder = tempFolder();
  const root = path.join(folder, 'store');
  const input = path.join(folder, 'input');
  writeFileSync(input, NEW);
  if (prepare !== null) {
    const store = await ObjectStore.init(root);
    await store.createBucket(BUCKET);
    await prepare(store);
  }
  const log = path.join(folder, 'log');
  const traced = await traceNode([compiledDoor(door), ...args(root, input)], { trace: STATE_CALLS, log });
  expect(traced, traced.stderr).toMatchObject({ code: 0, signal: null });
  const steps = traced.calls.filter((call) => changesState(call, root)).map((call) => toStep(call, root));
  const output = traced.calls.find((call) => call.name === 'write' && call.args.startsWith('1<'));
  if (output === undefined) throw new Error('no result was written');
  return { steps, result: { ...toStep(output, root), what: 'the result' } };
}

function toStep(call: Call, root: string): Step {
  return { what: [call.name, ...pathsOf(call, root)].join(' '), began: call.began, ended: call.ended };
}

function matching(steps: readonly Step[], what: string | RegExp): Step[] {
  return steps.filter((step) => (typeof what === 'string' ? step.what === what : what.test(step.what)));
}

function first(steps: readonly Step[], what: string | RegExp): Step {
  const [step] = matching(steps, what);
  if (step === undefined) throw new Error(`there is no ${what} in\n${steps.map((each) => each.what).join('\n')}`);
  return step;
}

function last(steps: readonly Step[], what: string): Step {
  return matching(steps, what).at(-1) ?? first(steps, what);
}

/** Each step has ended before the next one begins. */
function expectOrder(steps: readonly Step[]): void {
  steps.slice(1).forEach((step, index) => {
    const before = steps[index];
    if (before !== undefined)
      expect(before.ended, `${before.what} must come before ${step.what}`).toBeLessThan(step.began);
  });
}
