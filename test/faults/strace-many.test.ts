import { mkdirSync, readdirSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { SharedSync } from '../../src/files/shared-sync.ts';
import { compiledLibrary, compileScripts } from '../support/processes.ts';
import { tempFolder } from '../support/temp.ts';
import { changesState, pathsOf } from './strace-points.ts';
import { STATE_CALLS, straceProblem, traceNode, type Call } from './strace.ts';

const problem = straceProblem();
if (problem !== undefined) console.warn(`SKIPPED, nothing is proved about the order of work on many files: ${problem}`);

const UNTRUSTED = 'the file system of temporary files is none whose syncfs(2) is relied on';

const INDICES = [0, 1, 2, 3, 4];
const chunk = (index: number): string => `chunks/a${index % 2}/${index}`;

/** A call on the disk, such as `fsync chunks`, or what the script has said. */
interface Step {
  what: string;
  began: number;
  ended: number;
}

describe.skipIf(problem !== undefined)('the order of system calls in work on many files', () => {
  test('what is created, staged, published or removed with a shared sync is all done before that begins, and told after', async ({
    skip,
  }) => {
    skip(!(await canShare()), UNTRUSTED);
    const { steps } = await trace('shared');
    const syncs = matching(steps, /^syncfs \.$/);
    expect(syncs).toHaveLength(4);
    const [created, staged, published, removed] = syncs;
    const works: [Step | undefined, string, RegExp][] = [
      [created, 'created', /^(mkdir|openat|pwrite64) chunks\//],
      [staged, 'staged', /^((openat|pwrite64) tmp\/|mkdir buckets\/)/],
      [published, 'published', /^rename tmp\//],
      [removed, 'removed', /^unlink chunks\//],
    ];
    for (const [at, said, work] of works) {
      expect(matching(steps, work).length).toBeGreaterThanOrEqual(INDICES.length);
      for (const step of matching(steps, work)) expectOrder(step, at);
      expectOrder(at, first(steps, said));
    }
    // Afterwards each file system says once more that it is well.
    expect(matching(steps, /^fsync /).map(({ what }) => what)).toEqual(Array(4).fill('fsync .'));
  });

  test('without a shared sync each file and then each folder is synced, before that is told', async () => {
    const { steps } = await trace('single');
    expect(matching(steps, /^syncfs /)).toEqual([]);
    for (const index of INDICES) {
      const [created, staged] = [first(steps, `fsync ${chunk(index)}`), first(steps, `fsync tmp/id-${index}`)];
      expectOrder(first(steps, `pwrite64 ${chunk(index)}`), created);
      for (const folder of [path.dirname(chunk(index)), 'chunks'])
        expectOrder(created, first(steps, `fsync ${folder}`));
      expectOrder(first(steps, `pwrite64 tmp/id-${index}`), staged);
      expectOrder(staged, first(steps, 'staged'));
      const rename = first(steps, `rename tmp/id-${index} buckets/b/${index}`);
      for (const folder of ['buckets/b', 'buckets']) {
        expectOrder(rename, first(steps, `fsync ${folder}`));
        expectOrder(first(steps, `fsync ${folder}`), first(steps, 'published'));
      }
      const sync = matching(steps, `fsync ${path.dirname(chunk(index))}`).at(-1);
      expectOrder(first(steps, `unlink ${chunk(index)}`), sync);
      expectOrder(sync, first(steps, 'removed'));
    }
    expectOrder(first(steps, 'fsync chunks'), first(steps, 'created'));
  });

  test.for(['syncfs', 'fsync'])(
    'a shared sync that fails (%s) is not made again, and nothing stays',
    async (call, { skip }) => {
      skip(!(await canShare()), UNTRUSTED);
      const { steps, left } = await trace('shared', `${call}:error=EIO:when=1`);
      expect(matching(steps, `${call} .`)).toHaveLength(1);
      expect(left).toEqual([]);
    },
  );

  test('the sync of a folder that fails is not made again, and what is in it goes', async () => {
    // In the thread the files' syncs come first, then those of the folders, from the inside out.
    const { steps, left } = await trace('single', `fsync:error=EIO:when=${INDICES.length + 1}`);
    expect(matching(steps, 'fsync chunks/a1')).toHaveLength(1);
    expect(left).toEqual(INDICES.filter((index) => index % 2 === 0).map(chunk));
  });
});

/** Whether work in temporary folders is made durable by a shared sync. */
async function canShare(): Promise<boolean> {
  const sync = await SharedSync.open(tempFolder());
  await sync?.close();
  return sync !== undefined;
}

/** Runs the script, to its end or to the failure that is told, and tells what is on the disk then. */
async function trace(how: 'shared' | 'single', inject?: string): Promise<{ steps: Step[]; left: string[] }> {
  const folder = tempFolder();
  const root = path.join(folder, 'disk1');
  for (const name of ['', 'buckets', 'chunks', 'tmp']) mkdirSync(path.join(root, name));
  const script = compileScripts(path.join(folder, 'script'), [path.join(import.meta.dirname, 'many-script.ts')]);
  const ended = await traceNode([script, compiledLibrary(), root, how], {
    trace: [...STATE_CALLS, 'syncfs'],
    log: path.join(folder, 'log'),
    ...(inject === undefined ? {} : { inject }),
  });
  if (inject === undefined)
    expect(ended, ended.stderr).toMatchObject({ code: 0, stdout: 'created\nstaged\npublished\nremoved\n' });
  else expect(ended).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('EIO') as string });
  const entries = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return {
    steps: ended.calls.flatMap((call) => stepOf(call, root)),
    left: entries.map((entry) => path.relative(root, path.join(entry.parentPath, entry.name))).sort(),
  };
}

function stepOf(call: Call, root: string): Step[] {
  const { name, args, began, ended } = call;
  const said = name === 'write' && args.startsWith('1<') ? /"(\w+)\\n"/.exec(args)?.[1] : undefined;
  if (said !== undefined) return [{ what: said, began, ended }];
  return changesState(call, root) ? [{ what: [name, ...pathsOf(call, root)].join(' '), began, ended }] : [];
}

function matching(steps: readonly Step[], what: string | RegExp): Step[] {
  return steps.filter((step) => (typeof what === 'string' ? step.what === what : what.test(step.what)));
}

function first(steps: readonly Step[], what: string): Step {
  const [step] = matching(steps, what);
  if (step === undefined) throw new Error(`there is no ${what} in\n${steps.map((each) => each.what).join('\n')}`);
  return step;
}

function expectOrder(before: Step | undefined, after: Step | undefined): void {
  expect(before?.ended, `${before?.what ?? 'nothing'} must come before ${after?.what ?? 'nothing'}`).toBeLessThan(
    after?.began ?? -1,
  );
}
