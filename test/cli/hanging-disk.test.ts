import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { straceProblem } from '../faults/strace.ts';
import { compiledDoor, type Door } from '../support/build.ts';
import { Cli } from '../support/cli.ts';
import { runDoor, start, until, type Ended } from '../support/processes.ts';

/** Far longer than any test waits. */
const HANGS_US = 600_000_000;
const PATIENCE = { MINI_OBJECT_STORE_PATIENCE: '0.3' };

const problem = straceProblem();
if (problem !== undefined) console.warn(`SKIPPED, nothing is proved about commands and disks that really hang: ${problem}`);

/** What the kernel says of a process: its state (`Z` once it has ended, as far as its threads let it), and who traces it. */
function statusOf(pid: number): { state: string; tracer: number } {
  try {
    const text = readFileSync(`/proc/${String(pid)}/status`, 'utf8');
    return { state: /^State:\t(\w)/m.exec(text)?.[1] ?? '', tracer: Number(/^TracerPid:\t(\d+)/m.exec(text)?.[1] ?? 0) };
  } catch {
    return { state: 'Z', tracer: 0 };
  }
}

/** A compiled command whose syncs of one folder hang: its thread is held in front of the call, as by a disk. */
function startHanging(door: Door, args: readonly string[], cli: Cli, folder: string, env: Record<string, string> = PATIENCE) {
  const inject = ['-e', 'trace=fsync', '-e', `inject=fsync:delay_enter=${String(HANGS_US)}`];
  const flags = ['-D', '-f', '-qq', '-o', cli.path(`${door}.trace`), '-P', cli.path(folder), ...inject];
  const running = start('strace', [...flags, process.execPath, compiledDoor(door), '--root', cli.root, ...args], { env });
  running.stdin.end();
  let tracer = 0;
  const letGo = (): void => {
    if (tracer !== 0) process.kill(tracer, 'SIGKILL');
    tracer = 0;
  };
  onTestFinished(letGo);
  return {
    running,
    hangs: () => until('a call hangs', () => {
      tracer ||= statusOf(running.pid).tracer;
      return tracer !== 0 && readdirSync(`/proc/${String(running.pid)}/fd`).length > 0 && readFileSync(cli.path(`${door}.trace`), 'utf8').includes('fsync(');
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
  const places = ['disk1', 'disk2', 'disk3'].flatMap((name) => ['--disk', `${name}=${name === 'disk2' ? cli.path('elsewhere') : path.join(cli.root, name)}`]);
  expect(await cli.store('init', '--redundancy', '1+1', ...places)).toMatchObject({ code: 0 });
  expect(await cli.upload('my-bucket', '-', '--key', 'k')).toMatchObject({ code: 0 });
  return cli;
}

const FOLDER = 'elsewhere/buckets/my-bucket';

test.skipIf(problem)('an upload tells what it waits for, goes on without the disk, and ends although a call still hangs', async () => {
  const cli = await ready();
  const { ended } = startHanging('upload', ['my-bucket', path.join(import.meta.dirname, '../../README.md')], cli, FOLDER);
  const { code, stdout, stderr } = await ended();
  expect({ code, stderr: stderr.split('\n')[0] }).toEqual({ code: 0, stderr: 'waiting for disk "disk2", which does not answer …' });
  expect(stderr).toContain('warning: disk "disk2" does not answer');
  expect(stdout).toContain('my-bucket/README.md');
  expect((await cli.store('disk', 'ls')).stdout).not.toContain('hanging');
});

test.skipIf(problem)('with --quiet an upload says nothing of the waiting', async () => {
  const cli = await ready();
  const { ended } = startHanging('upload', ['--quiet', 'my-bucket', path.join(import.meta.dirname, '../../README.md')], cli, FOLDER);
  const { code, stderr } = await ended();
  expect(code).toBe(0);
  expect(stderr).not.toContain('waiting');
});

test.skipIf(problem)('a command that waits for a disk ends when it is interrupted, with 130', async () => {
  const cli = await ready();
  // It would wait for six minutes.
  const { running, hangs, ended } = startHanging('upload', ['my-bucket', path.join(import.meta.dirname, '../../README.md')], cli, FOLDER, { MINI_OBJECT_STORE_PATIENCE: '60' });
  await hangs();
  running.kill('SIGINT');
  expect(await ended()).toMatchObject({ code: 130 });
});

test.skipIf(problem)('the disk that hangs can be replaced, and others upload, while an upload waits for it in its commit', async () => {
  const cli = await ready();
  const upload = startHanging('upload', ['my-bucket', path.join(import.meta.dirname, '../../README.md')], cli, FOLDER);
  await upload.hangs();
  mkdirSync(cli.path('new'));
  const replaced = await runDoor('store', ['--root', cli.root, 'disk', 'replace', 'disk2', cli.path('new')], { env: PATIENCE });
  expect(replaced).toMatchObject({ code: 0 });
  expect(await runDoor('upload', ['--root', cli.root, 'my-bucket', path.join(import.meta.dirname, '../../package.json')], { env: PATIENCE })).toMatchObject({ code: 0, stderr: '' });
  expect(await upload.ended()).toMatchObject({ code: 0 });
});

test('a patience that is no number of seconds is refused', async () => {
  const cli = new Cli({ env: { MINI_OBJECT_STORE_PATIENCE: 'long' } });
  expect(await cli.store('ls')).toMatchObject({ code: 2, stderr: expect.stringContaining('MINI_OBJECT_STORE_PATIENCE must be a number of seconds') as string });
});
