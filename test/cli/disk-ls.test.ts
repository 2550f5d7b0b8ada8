import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { Chalk } from 'chalk';
import { describe, expect, test } from 'vitest';
import { drawDisks, type ShownDisk } from '../../src/cli/terminal/disk-picture.ts';
import { statesOf } from '../../src/cli/actions/disk-ls.ts';
import { Cli, parseLines } from '../support/cli.ts';
import { redundantStore, unplug } from './redundant-store.ts';

const plain = new Chalk({ level: 0 });
const GIB = 1024 ** 3;

/** What the table says of each disk's state, by name. */
async function statesIn(cli: Cli): Promise<Record<string, string>> {
  const { code, stdout } = await cli.store('disk', 'ls', '--json');
  expect(code).toBe(0);
  return Object.fromEntries(
    parseLines(stdout).map(({ disk, states }): [string, string] => [String(disk), String(states)]),
  );
}

describe('store disk ls', () => {
  test('shows every disk with its state, room, what is on it, its share and its place', async () => {
    const cli = await redundantStore('2+1', 3);
    const { code, stdout, stderr } = await cli.store('disk', 'ls');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^disk {3}state +capacity +free +used here +share +objects +chunks +path\n/);
    const rows = [
      ...stdout.matchAll(
        /^(disk\d) {2}online +[\d.]+ [GTP]iB +[\d.]+ \w+ +[\d.]+ [KM]iB +(\d+)% +([12]) +(\d) {2}\1$/gm,
      ),
    ];
    expect(rows).toHaveLength(3);
    // Nine of the large object, and a chunk with its parity of the small one.
    expect(rows.reduce((sum, [, , , , chunks]) => sum + Number(chunks), 0)).toBe(11);
    expect(rows.reduce((sum, [, , share]) => sum + Number(share), 0)).toBeOneOf([99, 100, 101]);
  });

  test('shows how full each is in a picture within the width', async () => {
    const cli = (await redundantStore('2+1', 3)).with({ columns: 50 });
    const { stdout } = await cli.store('disk', 'ls');
    const bars = [...stdout.matchAll(/^ {2}disk\d {2}(█*▒*·*) +\d+%$/gm)];
    expect(bars).toHaveLength(3);
    for (const [line, bar] of bars) {
      expect(line.length).toBeLessThanOrEqual(50);
      expect(bar).toMatch(/^█/);
    }
    expect(stdout).toMatch(/\n {2}█ this store {2}▒ others {2}· free\n$/);
  });

  test('--json gives a line for every disk, with its place as an absolute path', async () => {
    const cli = await redundantStore('2+1', 3);
    const lines = parseLines((await cli.store('disk', 'ls', '--json')).stdout);
    expect(lines).toHaveLength(3);
    const share = lines.reduce((sum, line) => sum + Number(line['share']), 0);
    expect(share).toBeCloseTo(1);
    for (const [index, line] of lines.entries()) {
      const name = `disk${index + 1}`;
      expect(line).toMatchObject({
        disk: name,
        path: path.join(cli.root, name),
        state: { status: 'online' },
        states: ['online'],
        role: 'member',
        isFull: false,
        staleMetas: 0,
      });
      for (const member of ['total', 'free', 'used', 'objects', 'chunks']) expect(line[member]).toBeTypeOf('number');
    }
  });

  test('tells disks that are away, empty, of another store, swapped or unreadable, and why', async () => {
    const cli = await redundantStore('2+1', 11);
    unplug(cli, 'disk1');
    rmSync(path.join(cli.root, 'disk2'), { recursive: true });
    mkdirSync(path.join(cli.root, 'disk2'));
    const other = new Cli();
    await other.store('init');
    rmSync(path.join(cli.root, 'disk3'), { recursive: true });
    renameSync(path.join(other.root, 'disk1'), path.join(cli.root, 'disk3'));
    rmSync(path.join(cli.root, 'disk4/disk.json'));
    writeFileSync(path.join(cli.root, 'disk4/disk.json'), readFileSync(path.join(cli.root, 'disk5/disk.json')));
    writeFileSync(path.join(cli.root, 'disk5/disk.json'), '{');
    expect(await statesIn(cli)).toMatchObject({
      disk1: 'offline',
      disk2: 'empty',
      disk3: 'foreign',
      disk4: 'swapped',
      disk5: 'unreadable',
      disk6: 'online',
    });
    const { stdout } = await cli.store('disk', 'ls');
    for (const note of [
      'disk1 is missing: there is no such folder',
      'disk2 is empty: ',
      'disk3 is foreign: ',
      'disk4 is swapped: ',
      'disk5 is unreadable: ',
    ]) {
      expect(stdout).toContain(`\n  ${note}`);
    }
  });

  test('tells a disk that has come back without what was done meanwhile, until it is healed', async () => {
    const cli = await redundantStore();
    const plugIn = unplug(cli, 'disk2');
    await cli.with({ stdin: 'new' }).upload('photos', '-', '--key', 'new');
    plugIn();
    expect(await statesIn(cli)).toMatchObject({ disk1: 'online', disk2: 'stale' });
    expect((await cli.store('disk', 'ls')).stdout).toContain(
      '\n  disk2 lacks 1 meta, or has older or damaged copies: "store heal" brings them into step\n',
    );
    await cli.store('heal');
    expect(await statesIn(cli)).toMatchObject({ disk2: 'online' });
  });

  test('tells a disk that is being drained', async () => {
    const cli = await redundantStore();
    await cli.store('disk', 'drain', 'disk2');
    expect(await statesIn(cli)).toMatchObject({ disk2: 'draining', disk3: 'online' });
  });

  test('where too few disks answer still tells which are there, and ends with 4', async () => {
    const cli = await redundantStore('2+1', 3);
    for (const disk of ['disk1', 'disk2']) unplug(cli, disk);
    const { code, stdout, stderr } = await cli.store('disk', 'ls');
    expect(code).toBe(4);
    expect(stderr).toMatch(/^error: 1 of 3 disks are online, a read needs 2: /);
    expect(stdout).toMatch(/^disk1 {2}offline +– +– +– +– +– +– {2}disk1\n(.*\n)disk3 {2}online /m);
    const json = await cli.store('disk', 'ls', '--json');
    expect(json.code).toBe(4);
    expect(parseLines(json.stdout).map(({ disk, states, used }) => [disk, states, used])).toEqual([
      ['disk1', ['offline'], undefined],
      ['disk2', ['offline'], undefined],
      ['disk3', ['online'], undefined],
    ]);
  });

  test('of a store without objects has no share to divide', async () => {
    const cli = new Cli();
    await cli.store('init');
    expect((await cli.store('disk', 'ls')).stdout).toMatch(/ 0 B +0% +0 +0 {2}disk1\n/);
  });

  test('of no store ends with 3', async () => {
    expect(await new Cli().store('disk', 'ls')).toMatchObject({ code: 3, stdout: '' });
  });
});

describe('the states of a disk', () => {
  const disk = (over: Partial<ShownDisk>): ShownDisk => ({
    disk: 'd',
    path: 'd',
    state: { status: 'online', reason: '' },
    role: 'member',
    isFull: false,
    staleMetas: 0,
    ...over,
  });

  test.each<[string, Partial<ShownDisk>, string[]]>([
    ['nothing special', {}, ['online']],
    ['full', { isFull: true }, ['full']],
    ['draining and full', { role: 'draining', isFull: true }, ['draining', 'full']],
    ['stale', { staleMetas: 3 }, ['stale']],
    ['joining, which lacks metas', { role: 'joining', staleMetas: 3 }, ['joining']],
    [
      'away while it is drained',
      { role: 'draining', state: { status: 'missing', reason: '' }, staleMetas: undefined },
      ['offline', 'draining'],
    ],
    ['hanging', { state: { status: 'hanging', reason: '' } }, ['hanging']],
  ])('%s', (_, over, states) => {
    expect(statesOf(disk(over))).toEqual(states);
  });
});

describe('the picture of the disks', () => {
  const disk = (name: string, total: number | undefined, free: number | undefined, used: number): ShownDisk => ({
    disk: name,
    path: name,
    state: { status: 'online', reason: '' },
    total,
    free,
    used,
  });

  test('divides a bar into this store, others and what is free', () => {
    expect(drawDisks([disk('a', 10 * GIB, 2 * GIB, 5 * GIB), disk('bb', 10 * GIB, 10 * GIB, 0)], 22, plain)).toEqual([
      '  a   █████▒▒▒··   80%',
      '  bb  ··········    0%',
      '  █ this store  ▒ others  · free',
    ]);
  });

  test('shows what is there, however little it is', () => {
    expect(drawDisks([disk('a', 1000 * GIB, 999 * GIB, 1)], 21, plain)[0]).toBe('  a  █·········    0%');
  });

  test('never shows more of this store than is in use: metas may tell of what is not there', () => {
    expect(drawDisks([disk('a', 10 * GIB, 8 * GIB, 9 * GIB)], 21, plain)[0]).toBe('  a  ██········   20%');
  });

  test('leaves out disks that can’t tell, and is nothing where none can', () => {
    expect(drawDisks([disk('a', undefined, undefined, 5)], 80, plain)).toEqual([]);
  });

  test('is drawn however narrow the terminal is', () => {
    expect(drawDisks([disk('a', 10, 5, 5)], 1, plain)[0]).toBe('  a  █   50%');
  });
});
