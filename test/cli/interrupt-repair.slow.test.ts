import { existsSync, readFileSync, rmSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { Cli, parseLines } from '../support/cli.ts';
import { startDoor, untilWhile, type Ended, type Running } from '../support/processes.ts';
import { tree } from '../support/store.ts';
import { storeHuge } from './huge-object.ts';
import { allShards, BIG, readBig, redundantStore, shardsOn, unplug } from './redundant-store.ts';

/** So slow that what has begun is not done before the signal comes. */
const SLOWLY = ['--rate', '0.5'];

async function interrupt(running: Running): Promise<Ended> {
  running.kill('SIGINT');
  return running.ended;
}

async function expectWhole(cli: Cli): Promise<void> {
  expect(await cli.store('verify')).toMatchObject({ code: 0 });
  expect((await readBig(cli)).equals(BIG)).toBe(true);
  expect(parseLines((await cli.store('gc', '--json')).stdout)).toMatchObject([{ leftoverChunks: 0, stagedFiles: 0 }]);
}

function roleOf(cli: Cli, disk: string): string | undefined {
  const { disks } = JSON.parse(readFileSync(path.join(cli.root, 'store.json'), 'utf8')) as {
    disks: { name: string; role?: string }[];
  };
  return disks.find(({ name }) => name === disk)?.role;
}

describe('Ctrl-C ends with 130, breaks nothing, and the command can be run again', () => {
  test('in a verify; what it has found until then is shown', async () => {
    const cli = new Cli();
    await cli.with({ stdin: 'x' }).upload('my-bucket', '-', '--key', 'a');
    for (const file of allShards(cli)) rmSync(file);
    await storeHuge(cli, 'big', 65_536);
    const running = startDoor('store', ['verify', '--root', cli.root]);
    await untilWhile(running, 'the first object is told', () => running.output().includes('my-bucket/a'));
    const { code, stdout, stderr } = await interrupt(running);
    expect({ code, stderr }).toEqual({ code: 130, stderr: '' });
    expect(stdout).toMatch(/^lost {6}my-bucket\/a {2}bytes 0-0\n {2}disk\d: .*\n$/);
  });

  test('in a heal', async () => {
    const cli = await redundantStore('2+1', 3);
    const lost = shardsOn(cli, 'disk2');
    for (const file of lost) rmSync(file);
    const running = startDoor('store', ['heal', ...SLOWLY, '--root', cli.root]);
    await untilWhile(running, 'a chunk is healed', () => lost.some((file) => existsSync(file)));
    expect(await interrupt(running)).toMatchObject({ code: 130, stdout: '', stderr: '' });
    expect((await readBig(cli)).equals(BIG)).toBe(true);
    expect(await cli.store('heal')).toMatchObject({ code: 0 });
    await expectWhole(cli);
  });

  test('in the heal of a disk that was replaced', async () => {
    const cli = await redundantStore('2+1', 3);
    rmSync(path.join(cli.root, 'disk2'), { recursive: true });
    const running = startDoor('store', ['disk', 'replace', 'disk2', ...SLOWLY, '--root', cli.root]);
    await untilWhile(
      running,
      'a chunk is healed',
      () => existsSync(path.join(cli.root, 'disk2/chunks')) && shardsOn(cli, 'disk2').length > 0,
    );
    expect(await interrupt(running)).toMatchObject({ code: 130, stderr: '' });
    expect(roleOf(cli, 'disk2')).toBe('joining');
    expect(await cli.store('heal')).toMatchObject({ code: 0 });
    expect(roleOf(cli, 'disk2')).toBeUndefined();
    await expectWhole(cli);
  });

  test('in a drain', async () => {
    const cli = await redundantStore();
    const running = startDoor('store', ['disk', 'drain', 'disk2', ...SLOWLY, '--root', cli.root]);
    const before = allShards(cli).length;
    await untilWhile(
      running,
      'a chunk is on another disk',
      () => allShards(cli).length > before || shardsOn(cli, 'disk2').length === 0,
    );
    expect(await interrupt(running)).toMatchObject({ code: 130, stdout: '', stderr: '' });
    expect(roleOf(cli, 'disk2')).toBe('draining');
    expect((await readBig(cli)).equals(BIG)).toBe(true);
    expect(await cli.store('disk', 'drain', 'disk2')).toMatchObject({ code: 0 });
    await cli.store('gc');
    expect(await cli.store('disk', 'remove', 'disk2')).toMatchObject({ code: 0 });
    await expectWhole(cli);
  });

  test('in a rebalance', async () => {
    const cli = await redundantStore('1+1', 3);
    await cli.store('disk', 'add', 'disk4', cli.path('new'));
    const running = startDoor('store', ['rebalance', ...SLOWLY, '--root', cli.root]);
    await untilWhile(running, 'a chunk is on the new disk', () => shardsOn(cli, 'disk4').length > 0);
    expect(await interrupt(running)).toMatchObject({ code: 130, stdout: '', stderr: '' });
    await cli.store('gc');
    await expectWhole(cli);
    expect(await cli.store('rebalance')).toMatchObject({ code: 0 });
    await expectWhole(cli);
  });
});

test.each([
  ['verify', ['verify']],
  ['verify --quick', ['verify', '--quick']],
  ['heal', ['heal']],
  ['heal --dry-run', ['heal', '--dry-run']],
  ['disk ls', ['disk', 'ls']],
  ['disk add', ['disk', 'add', 'disk6', 'NEW']],
  ['disk replace', ['disk', 'replace', 'disk4', 'NEW']],
  ['disk drain', ['disk', 'drain', 'disk2']],
  ['disk drain --cancel', ['disk', 'drain', 'disk3', '--cancel']],
  ['disk remove', ['disk', 'remove', 'disk3']],
  ['rebalance', ['rebalance']],
  ['bucket create', ['bucket', 'create', 'new-bucket', '--redundancy', '1+1']],
])('%s that is interrupted before it begins changes nothing', async (_, args) => {
  const cli = await redundantStore('2+1', 5);
  await cli.store('disk', 'drain', 'disk3');
  const plugIn = unplug(cli, 'disk4');
  if (!args.includes('replace')) plugIn();
  const before = tree(cli.folder);
  const result = await cli
    .with({ signal: AbortSignal.abort() })
    .store(...args.map((arg) => (arg === 'NEW' ? cli.path('new') : arg)));
  expect(result).toMatchObject({ code: 130, stdout: '', stderr: '' });
  expect(tree(cli.folder)).toEqual(before);
});

test.each([['verify'], ['heal'], ['rebalance'], ['disk ls']])(
  '%s on a terminal restores the cursor when it is interrupted',
  async (line) => {
    const cli = await redundantStore();
    const { code, stderr } = await cli.with({ signal: AbortSignal.abort(), terminal: true }).store(...line.split(' '));
    expect(code).toBe(130);
    expect(stderr.split('\u001b[?25h')).toHaveLength(stderr.split('\u001b[?25l').length);
  },
);
