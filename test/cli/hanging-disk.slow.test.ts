import { mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import * as path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { straceProblem } from '../faults/strace.ts';
import { compiledDoor, type Door } from '../support/build.ts';
import { Cli } from '../support/cli.ts';
import { runDoor, start, until, type Ended } from '../support/processes.ts';

/** Far longer than any test waits. */
const HANGS_US = 600_000_000;
/** Enough for all that does not hang, also on a busy machine. */
const PATIENCE = { MINI_OBJECT_STORE_PATIENCE: '2' };

const problem = straceProblem();
if (problem !== undefined)
  console.warn(`SKIPPED, nothing is proved about commands and disks that really hang: ${problem}`);

/** What the kernel says of a process: its state (`Z` once it has ended, as far as its threads let it), and who traces it. */
function statusOf(pid: number): { state: string; tracer: number } {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8');
    return {
      state: /^State:\t(\w)/m.exec(text)?.[1] ?? '',
      tracer: Number(/^TracerPid:\t(\d+)/m.exec(text)?.[1] ?? 0),
    };
  } catch {
    return { state: 'Z', tracer: 0 };
  }
}

interface Hangs {
  call: 'fsync' | 'statx';
  /** Of the files and folders whose calls hang. */
  paths: readonly string[];
}

/** A compiled command of which some calls hang: its threads are held in front of them, as by a disk. */
function startHanging(
  door: Door,
  args: readonly string[],
  cli: Cli,
  { call, paths }: Hangs,
  env: Record<string, string> = PATIENCE,
) {
  const inject = ['-e', `trace=${call}`, '-e', `inject=${call}:delay_enter=${HANGS_US}`];
  const flags = [
    '-D',
    '-f',
    '-qq',
    '-o',
    cli.path(`${door}.trace`),
    ...paths.flatMap((file) => ['-P', cli.path(file)]),
    ...inject,
  ];
  const running = start('strace', [...flags, process.execPath, compiledDoor(door), '--root', cli.root, ...args], {
    env,
  });
  running.stdin.end();
  let tracer = 0;
  const letGo = (): void => {
    if (tracer !== 0) process.kill(tracer, 'SIGKILL');
    tracer = 0;
  };
  onTestFinished(letGo);
  return {
    running,
    hangs: () =>
      until('a call hangs', () => {
        tracer ||= statusOf(running.pid).tracer;
        return (
          tracer !== 0 &&
          readdirSync(`/proc/${running.pid}/fd`).length > 0 &&
          readFileSync(cli.path(`${door}.trace`), 'utf8').includes(`${call}(`)
        );
      }),
    /** Ends the thread that hangs, once all else of the process has ended, and tells how that ended. */
    ended: async (): Promise<Ended> => {
      await until('the command has ended, but for its thread that hangs', () => {
        tracer ||= statusOf(running.pid).tracer;
        return statusOf(running.pid).state === 'Z';
      });
      letGo();
      return running.ended;
    },
  };
}

/** A store whose second disk is elsewhere. */
async function ready(): Promise<Cli> {
  const cli = new Cli({ stdin: 'before' });
  const places = ['disk1', 'disk2', 'disk3'].flatMap((name) => [
    '--disk',
    `${name}=${name === 'disk2' ? cli.path('elsewhere') : path.join(cli.root, name)}`,
  ]);
  expect(await cli.store('init', '--redundancy', '1+1', ...places)).toMatchObject({ code: 0 });
  expect(await cli.upload('my-bucket', '-', '--key', 'k')).toMatchObject({ code: 0 });
  return cli;
}

const SYNC: Hangs = { call: 'fsync', paths: ['elsewhere/buckets/my-bucket'] };
/** Every look at the second disk, through its link too. */
const LOOK: Hangs = { call: 'statx', paths: ['elsewhere', 'elsewhere/disk.json', 'store/disk2'] };

test.skipIf(problem)(
  'an upload tells what it waits for, goes on without the disk, and ends although a call still hangs',
  async () => {
    const cli = await ready();
    const { ended } = startHanging(
      'upload',
      ['my-bucket', path.join(import.meta.dirname, '../../README.md')],
      cli,
      SYNC,
    );
    const { code, stdout, stderr } = await ended();
    expect(code).toBe(0);
    expect(stderr).toContain('waiting for disk "disk2", which does not answer …\n');
    expect(stderr).toContain('warning: disk "disk2" does not answer');
    expect(stdout).toContain('my-bucket/README.md');
    expect((await cli.store('disk', 'ls')).stdout).not.toContain('hanging');
  },
);

test.skipIf(problem)('with --quiet an upload says nothing of the waiting', async () => {
  const cli = await ready();
  const { ended } = startHanging(
    'upload',
    ['--quiet', 'my-bucket', path.join(import.meta.dirname, '../../README.md')],
    cli,
    SYNC,
  );
  const { code, stderr } = await ended();
  expect(code).toBe(0);
  expect(stderr).not.toContain('waiting for');
});

test.skipIf(problem)('a command that waits for a disk ends when it is interrupted, with 130', async () => {
  const cli = await ready();
  // It would wait for six minutes.
  const { running, hangs, ended } = startHanging(
    'upload',
    ['my-bucket', path.join(import.meta.dirname, '../../README.md')],
    cli,
    SYNC,
    { MINI_OBJECT_STORE_PATIENCE: '60' },
  );
  await hangs();
  running.kill('SIGINT');
  expect(await ended()).toMatchObject({ code: 130 });
});

test.skipIf(problem)(
  'the disk that hangs can be replaced, and others upload, while an upload waits for it in its commit',
  async () => {
    const cli = await ready();
    const upload = startHanging('upload', ['my-bucket', path.join(import.meta.dirname, '../../README.md')], cli, SYNC);
    await upload.hangs();
    mkdirSync(cli.path('new'));
    const replaced = await runDoor('store', ['--root', cli.root, 'disk', 'replace', 'disk2', cli.path('new')], {
      env: PATIENCE,
    });
    expect(replaced).toMatchObject({ code: 0 });
    expect(
      await runDoor('upload', ['--root', cli.root, 'my-bucket', path.join(import.meta.dirname, '../../package.json')], {
        env: PATIENCE,
      }),
    ).toMatchObject({ code: 0 });
    expect(await upload.ended()).toMatchObject({ code: 0 });
  },
);

test.skipIf(problem)(
  'a disk that does not even answer a look is replaced, and its link leads to the new place',
  async () => {
    const cli = await ready();
    mkdirSync(cli.path('new'));
    const { ended } = startHanging('store', ['disk', 'replace', 'disk2', cli.path('new')], cli, LOOK);
    const { code, stdout, stderr } = await ended();
    expect(code).toBe(0);
    expect(stderr).toContain('waiting for disk "disk2", which does not answer …\n');
    expect(stdout).toContain(`accepted ${cli.path('new')} as the new disk "disk2"`);
    expect(readlinkSync(path.join(cli.root, 'disk2'))).toBe(cli.path('new'));
    expect(await cli.store('verify')).toMatchObject({ code: 0 });
  },
);

test.skipIf(problem)('a disk is added beside one that hangs', async () => {
  const cli = await ready();
  const { ended } = startHanging('store', ['disk', 'add', 'disk4', cli.path('new')], cli, LOOK);
  expect(await ended()).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('waiting for disk "disk2", which does not answer …\n') as string,
  });
  expect((await cli.store('disk', 'ls')).stdout).toMatch(/disk4 .*online/);
});

test.skipIf(problem)(
  'a place that does not answer becomes no disk, and nobody has been kept waiting for it',
  async () => {
    const cli = await ready();
    mkdirSync(cli.path('new'));
    const adding = startHanging('store', ['disk', 'add', 'disk4', cli.path('new')], cli, {
      call: 'statx',
      paths: ['new'],
    });
    expect(await adding.ended()).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(
        `"${cli.path('new')}" does not answer, so it cannot become disk "disk4"`,
      ) as string,
    });
    const syncing = startHanging(
      'store',
      ['disk', 'replace', '--failing', 'disk2', cli.path('new')],
      cli,
      { call: 'fsync', paths: ['new'] },
      { MINI_OBJECT_STORE_PATIENCE: '0.5' },
    );
    await syncing.hangs();
    expect(
      await runDoor('upload', ['--root', cli.root, 'my-bucket', path.join(import.meta.dirname, '../../package.json')], {
        env: PATIENCE,
      }),
    ).toMatchObject({ code: 0, stderr: '' });
    expect(await syncing.ended()).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(
        `"${cli.path('new')}" does not answer, so it cannot become disk "disk2"`,
      ) as string,
    });
  },
);

test('a patience that is no number of seconds is refused', async () => {
  const cli = new Cli({ env: { MINI_OBJECT_STORE_PATIENCE: 'long' } });
  expect(await cli.store('ls')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('MINI_OBJECT_STORE_PATIENCE must be a number of seconds') as string,
  });
});
