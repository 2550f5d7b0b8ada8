import { existsSync, readdirSync, readFileSync, readlinkSync, truncateSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { ObjectStore } from '../../src/index.ts';
import { seededBytes } from '../support/bytes.ts';
import { Cli, parseLines } from '../support/cli.ts';
import { startDoor, untilWhile, type Running } from '../support/processes.ts';
import { storeHuge } from './huge-object.ts';

const MIB = 1024 * 1024;

/** Larger than what can be written before a signal comes; as a sparse file it takes no room. */
const HUGE = 4096 * MIB;

const DISKS = ['disk1', 'disk2', 'disk3'];

/** A store with a bucket that holds one object. */
async function ready(): Promise<Cli> {
  const cli = new Cli({ stdin: 'before' });
  expect(await cli.upload('my-bucket', '-', '--key', 'k')).toMatchObject({ code: 0 });
  return cli;
}

/** Everything below the disks but fan-out folders, which stay, so that what was there before can be compared with what is there after. */
function everything(cli: Cli): string[] {
  return DISKS.flatMap((disk) =>
    readdirSync(path.join(cli.root, disk), { recursive: true, encoding: 'utf8' })
      .filter((name) => !/^chunks\/..$/.test(name))
      .map((name) => `${disk}/${name}`),
  ).sort();
}

function newChunks(cli: Cli, before: readonly string[]): string[] {
  return everything(cli).filter((name) => name.endsWith('.chunk') && !before.includes(name));
}

async function expectUntouched(cli: Cli, before: readonly string[]): Promise<void> {
  expect(everything(cli)).toEqual(before);
  expect((await cli.download('my-bucket/k', '-o', '-')).stdout).toBe('before');
  expect(parseLines((await cli.store('gc', '--json')).stdout)).toMatchObject([
    { leftoverChunks: 0, stagedFiles: 0, settled: 0 },
  ]);
}

function hasOpen(running: Running, file: string): boolean {
  const folder = `/proc/${running.pid}/fd`;
  return readdirSync(folder).some((fd) => {
    try {
      return readlinkSync(path.join(folder, fd)) === file;
    } catch {
      // Closed since it was listed.
      return false;
    }
  });
}

describe('Ctrl-C ends with 130 and leaves nothing behind', () => {
  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('in an upload from standard input (%s)', async (signal) => {
    const cli = await ready();
    const before = everything(cli);
    const running = startDoor('upload', ['my-bucket', '-', '--key', 'k', '--root', cli.root]);
    running.stdin.write(seededBytes(2 * MIB + 5, 1));
    await untilWhile(running, 'two chunks are there', () => newChunks(cli, before).length === 2);
    running.kill(signal);
    expect(await running.ended).toMatchObject({ code: 130, signal: null, stdout: '' });
    await expectUntouched(cli, before);
  });

  const noProc = !existsSync('/proc/self/fd');
  if (noProc)
    console.warn('SKIPPED, nothing is proved about Ctrl-C while an upload waits for its first byte: there is no /proc');

  test.skipIf(noProc)('in an upload from standard input that waits for its first byte', async () => {
    const cli = await ready();
    const before = everything(cli);
    const running = startDoor('upload', ['my-bucket', '-', '--key', 'k', '--root', cli.root]);
    await untilWhile(running, 'it has the locks of an upload open', () =>
      hasOpen(running, path.join(cli.root, '.lock')),
    );
    running.kill('SIGINT');
    expect(await running.ended).toMatchObject({ code: 130, stdout: '' });
    await expectUntouched(cli, before);
  });

  test('in a large upload', async () => {
    const cli = await ready();
    const before = everything(cli);
    writeFileSync(cli.path('huge'), '');
    truncateSync(cli.path('huge'), HUGE);
    const running = startDoor('upload', ['my-bucket', cli.path('huge'), '--key', 'k', '--root', cli.root]);
    await untilWhile(running, 'chunks are there', () => newChunks(cli, before).length > 2);
    running.kill('SIGINT');
    expect(await running.ended).toMatchObject({ code: 130, stdout: '' });
    await expectUntouched(cli, before);
  });

  test('in an upload of several files; the ones that were done stay', async () => {
    const cli = await ready();
    const before = everything(cli);
    writeFileSync(cli.path('small'), 'small');
    writeFileSync(cli.path('huge'), '');
    truncateSync(cli.path('huge'), HUGE);
    const running = startDoor('upload', ['my-bucket', cli.path('small'), cli.path('huge'), '--root', cli.root]);
    await untilWhile(
      running,
      'the small one is done',
      () => running.output().includes('my-bucket/small') && newChunks(cli, before).length > 2,
    );
    running.kill('SIGINT');
    expect(await running.ended).toMatchObject({ code: 130 });
    const keys = parseLines((await cli.store('ls', '--json', 'my-bucket')).stdout).map(({ key }) => key);
    expect(keys).toEqual(['k', 'small']);
    expect(parseLines((await cli.store('gc', '--json')).stdout)).toMatchObject([{ leftoverChunks: 0, stagedFiles: 0 }]);
  });

  test('in a download: no part of the file, no folder, and the file that was there stays', async () => {
    const cli = new Cli();
    await storeHuge(cli, 'big', HUGE / MIB);
    writeFileSync(cli.path('there'), 'what was there');
    const before = readdirSync(cli.folder).sort();

    for (const target of ['new/folder/out', 'there']) {
      const folder = path.dirname(cli.path(target));
      const running = startDoor('download', [
        'my-bucket/big',
        '-o',
        cli.path(target),
        '--root',
        cli.root,
        '--concurrency',
        '1',
      ]);
      const hasPart = (): boolean => existsSync(folder) && readdirSync(folder).some((name) => name.endsWith('.part'));
      await untilWhile(running, 'the part is there', hasPart);
      running.kill('SIGINT');
      const { code, stdout, stderr } = await running.ended;
      expect({ code, stdout, stderr }).toEqual({ code: 130, stdout: '', stderr: '' });
      expect(readdirSync(cli.folder).sort()).toEqual(before);
    }
    expect(readFileSync(cli.path('there'), 'utf8')).toBe('what was there');
  });

  test('in a download of many objects', async () => {
    const cli = new Cli();
    await storeHuge(cli, 'big', HUGE / MIB);
    const running = startDoor('download', [
      '-r',
      'my-bucket',
      '-o',
      cli.path('out/of/all'),
      '--root',
      cli.root,
      '--concurrency',
      '1',
    ]);
    await untilWhile(
      running,
      'the part is there',
      () => existsSync(cli.path('out/of/all')) && readdirSync(cli.path('out/of/all')).length > 0,
    );
    running.kill('SIGINT');
    expect(await running.ended).toMatchObject({ code: 130, stdout: '' });
    expect(existsSync(cli.path('out'))).toBe(false);
  });

  test.each(['SIGINT', 'SIGKILL'] as const)(
    'in a download of many small objects: all files that are there are whole (%s)',
    async (signal) => {
      const cli = new Cli();
      const store = await ObjectStore.open(cli.root, { create: true });
      await store.createBucket('my-bucket');
      const keys = Array.from({ length: 3000 }, (_, index) => `folder${index % 20}/${index}`);
      const items = keys.map((key) => ({ bucket: 'my-bucket', key, source: seededBytes(2000, key) }));
      for await (const outcome of store.putMany(items)) expect(outcome).not.toHaveProperty('error');
      const out = cli.path('out');
      const running = startDoor('download', ['-r', 'my-bucket', '-o', out, '--root', cli.root]);
      const names = (): string[] => (existsSync(out) ? readdirSync(out, { recursive: true, encoding: 'utf8' }) : []);
      await untilWhile(running, 'the first file is there', () => names().some((name) => keys.includes(name)));
      running.kill(signal);
      expect(await running.ended).toMatchObject(signal === 'SIGINT' ? { code: 130 } : { signal });
      const left = names();
      for (const name of left.filter((file) => keys.includes(file)))
        expect(readFileSync(path.join(out, name)).equals(seededBytes(2000, name)), name).toBe(true);
      // Only who is killed leaves what it was about to write, under names that are nobody's.
      const others = left.filter((name) => !keys.includes(name) && !/^folder\d+$/.test(name));
      expect(others.filter((name) => signal === 'SIGINT' || !name.endsWith('.part'))).toEqual([]);
    },
  );

  test('in a download to standard output that nobody takes', async () => {
    const cli = new Cli();
    await storeHuge(cli, 'big', HUGE / MIB);
    const running = startDoor('download', ['my-bucket/big', '-o', '-', '--root', cli.root], { stdout: 'leave' });
    let hasCome = false;
    running.stdout?.once('readable', () => {
      hasCome = true;
    });
    await untilWhile(running, 'bytes have come', () => hasCome);
    running.kill('SIGINT');
    running.stdout?.resume();
    expect(await running.ended).toMatchObject({ code: 130, signal: null });
  });
});
