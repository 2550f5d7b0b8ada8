import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { seededBytes } from '../support/bytes.ts';
import { Cli, parseLines } from '../support/cli.ts';
import { runDoor } from '../support/processes.ts';
import { allShards, BIG, readBig, redundantStore, ruinSmall, shardsOn, unplug } from './redundant-store.ts';

function disksOf(cli: Cli): string[] {
  const { disks } = JSON.parse(readFileSync(path.join(cli.root, 'store.json'), 'utf8')) as {
    disks: { name: string }[];
  };
  return disks.map(({ name }) => name);
}

describe('store disk add', () => {
  test('makes an empty or missing folder a disk, and new chunks go there', async () => {
    const cli = await redundantStore('2+1', 3);
    mkdirSync(cli.path('empty'));
    const { code, stdout, stderr } = await cli.store('disk', 'add', 'disk4', cli.path('empty'));
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: `added disk "disk4" in ${cli.path('empty')}\n`,
      stderr: '',
    });
    expect(readlinkSync(path.join(cli.root, 'disk4'))).toBe(cli.path('empty'));
    await cli.with({ stdin: seededBytes(BIG.length, 'more') }).upload('photos', '-', '--key', 'more');
    expect(shardsOn(cli, 'disk4').length).toBeGreaterThan(0);
    expect(await cli.store('disk', 'add', 'disk5', cli.path('to/be/made'))).toMatchObject({ code: 0 });
    expect(await cli.store('verify')).toMatchObject({ code: 0 });
  });

  test('takes the path from the current folder', async () => {
    const cli = await redundantStore('2+1', 3);
    const result = await runDoor('store', ['disk', 'add', 'disk4', 'beside', '--root', cli.root, '--json'], {
      cwd: cli.folder,
    });
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(parseLines(result.stdout)).toEqual([{ disk: 'disk4', path: cli.path('beside'), added: true }]);
    expect(existsSync(cli.path('beside/disk.json'))).toBe(true);
  });

  test('on a terminal tells what evens the disks out', async () => {
    const cli = (await redundantStore('2+1', 3)).with({ terminal: true });
    expect((await cli.store('disk', 'add', 'disk4', cli.path('new'))).stderr).toContain('"store rebalance"');
  });

  test.each<[string, string, string, number, RegExp]>([
    ['a name that is taken', 'disk2', 'new', 1, /^error: there is a disk "disk2" already\n$/],
    ['a bad name', 'a/b', 'new', 2, /^error: bad disk name/],
    [
      'a folder that is not empty',
      'disk4',
      'full',
      2,
      /^error: ".*\/full" is not empty, so it cannot become disk "disk4"\n {2}a disk begins as an empty folder.*\n$/,
    ],
    [
      'a folder inside another disk',
      'disk4',
      'store/disk1/x',
      2,
      /^error: ".*" cannot become disk "disk4": disk "disk1" is there\n/,
    ],
    ['a place below a file', 'disk4', 'full/data/x', 2, /^error: ".*\/full\/data\/x" is not a folder/],
    ['no path', 'disk4', '', 2, /^error: the path of a disk must not be empty\nusage: store disk add /],
  ])('of %s is refused, and nothing changes', async (_, name, place, code, says) => {
    const cli = await redundantStore('2+1', 3);
    mkdirSync(cli.path('full'));
    writeFileSync(cli.path('full/data'), 'precious');
    const result = await cli.store('disk', 'add', name, place === '' ? '' : cli.path(place));
    expect({ code: result.code, stdout: result.stdout }).toEqual({ code, stdout: '' });
    expect(result.stderr).toMatch(says);
    expect(disksOf(cli)).toEqual(['disk1', 'disk2', 'disk3']);
    expect(readFileSync(cli.path('full/data'), 'utf8')).toBe('precious');
    expect(readdirSync(cli.folder).sort()).toEqual(['full', 'store']);
  });
});

describe('store disk replace', () => {
  test('accepts an empty folder at the place of a lost disk, heals everything, and ends as a heal', async () => {
    const cli = await redundantStore('2+1', 3);
    rmSync(path.join(cli.root, 'disk2'), { recursive: true });
    const { code, stdout, stderr } = await cli.store('disk', 'replace', 'disk2');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(
      /^accepted .*\/store\/disk2 as the new disk "disk2"\nhealed [34] chunks \(\d\.0 MiB\), each read back\n/,
    );
    expect(stdout).toMatch(
      /\ndisk "disk2" has got all metas, and counts from now on\n2 objects: 2 whole, 0 degraded, 0 lost {2}.*\n$/,
    );
    unplug(cli, 'disk1');
    expect((await readBig(cli)).equals(BIG)).toBe(true);
  });

  test('takes a new place for it', async () => {
    const cli = await redundantStore('2+1', 3);
    unplug(cli, 'disk2');
    expect(await cli.store('disk', 'replace', 'disk2', cli.path('new'))).toMatchObject({
      code: 2,
      stdout: '',
      stderr: `error: there is no folder "${cli.path('new')}"\n  a disk begins as an empty folder\n`,
    });
    mkdirSync(cli.path('new'));
    expect(await cli.store('disk', 'replace', 'disk2', cli.path('new'))).toMatchObject({ code: 0 });
    expect(readlinkSync(path.join(cli.root, 'disk2'))).toBe(cli.path('new'));
    expect(await cli.store('verify')).toMatchObject({ code: 0 });
  });

  test('--no-heal only accepts it, and heal goes on from there', async () => {
    const cli = await redundantStore('2+1', 3);
    rmSync(path.join(cli.root, 'disk2'), { recursive: true });
    const { code, stdout } = await cli.store('disk', 'replace', 'disk2', '--no-heal');
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `accepted ${path.join(cli.root, 'disk2')} as the new disk "disk2"\n`,
    });
    expect(await cli.store('verify')).toMatchObject({ code: 4 });
    expect((await cli.store('disk', 'ls')).stdout).toMatch(/^disk2 {2}joining /m);
    expect(await cli.store('heal')).toMatchObject({ code: 0 });
    expect((await cli.store('disk', 'ls')).stdout).toMatch(/^disk2 {2}online /m);
    expect(await cli.store('verify')).toMatchObject({ code: 0 });
  });

  test('of a disk that was moved by hand says that it has been found, and keeps what is on it', async () => {
    const cli = await redundantStore('1+0', 3);
    renameSync(path.join(cli.root, 'disk2'), cli.path('moved'));
    expect(await cli.store('disk', 'replace', 'disk2', cli.path('moved'))).toMatchObject({
      code: 0,
      stdout: `found disk "disk2" in ${cli.path('moved')}, its new place; it keeps all that is on it\n`,
    });
    expect((await readBig(cli)).equals(BIG)).toBe(true);
  });

  test('ends with 4 and names what is lost, where the redundancy did not suffice', async () => {
    const cli = await redundantStore('1+0', 3);
    rmSync(path.join(cli.root, 'disk2'), { recursive: true });
    const { code, stdout } = await cli.store('disk', 'replace', 'disk2');
    expect(code).toBe(4);
    expect(stdout).toMatch(/^lost {6}photos\/big {2}bytes /m);
  });

  test('--json gives a line for the disk, and then those of the heal', async () => {
    const cli = await redundantStore('2+1', 3);
    rmSync(path.join(cli.root, 'disk2'), { recursive: true });
    const lines = parseLines((await cli.store('disk', 'replace', 'disk2', '--json')).stdout);
    expect(lines.map(({ type }) => type)).toEqual(['disk', 'object', 'object', 'total']);
    expect(lines[0]).toEqual({ type: 'disk', disk: 'disk2', path: path.join(cli.root, 'disk2'), replaced: true });
    expect(lines[3]).toMatchObject({ whole: 2, joined: ['disk2'], failed: [] });
  });

  test.each<[string, string[], number, RegExp]>([
    [
      'that is there and well',
      ['disk2'],
      1,
      /^error: disk "disk2" is there; if it is failing, name the empty folder that is to take its place/,
    ],
    ['that is not there', ['disk9'], 3, /^error: there is no disk "disk9"\n {2}"store disk ls" lists the disks\n$/],
    ['by a folder that is not empty', ['disk3', 'full'], 2, /^error: ".*\/full" is not empty/],
  ])('of a disk %s is refused', async (_, [name = '', place], code, says) => {
    const cli = await redundantStore('2+1', 3);
    mkdirSync(cli.path('full'));
    writeFileSync(cli.path('full/data'), 'precious');
    unplug(cli, 'disk3');
    const result = await cli.store('disk', 'replace', name, ...(place === undefined ? [] : [cli.path(place)]));
    expect({ code: result.code, stdout: result.stdout }).toEqual({ code, stdout: '' });
    expect(result.stderr).toMatch(says);
  });
});

describe('store disk drain', () => {
  test('moves everything off a disk, says that it can be removed, and the disk takes no more chunks', async () => {
    const cli = await redundantStore();
    const chunks = shardsOn(cli, 'disk2').length;
    const { code, stdout, stderr } = await cli.store('disk', 'drain', 'disk2');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(
      new RegExp(
        `^moved ${chunks} chunks? \\([\\d.]+ MiB\\) off disk "disk2", each read back; "store disk remove disk2" can follow\n$`,
      ),
    );
    await cli.with({ stdin: BIG }).upload('photos', '-', '--key', 'more');
    expect(shardsOn(cli, 'disk2')).toEqual([]);
    expect(await cli.store('verify')).toMatchObject({ code: 0 });
  });

  test('--cancel lets it take chunks again', async () => {
    const cli = await redundantStore();
    await cli.store('disk', 'drain', 'disk2');
    expect(await cli.store('disk', 'drain', 'disk2', '--cancel')).toMatchObject({
      code: 0,
      stdout: 'disk "disk2" takes chunks again\n',
      stderr: '',
    });
    await cli.with({ stdin: BIG }).upload('photos', '-', '--key', 'more');
    expect(shardsOn(cli, 'disk2').length).toBeGreaterThan(0);
    expect(parseLines((await cli.store('disk', 'drain', 'disk2', '--cancel', '--json')).stdout)).toEqual([
      { disk: 'disk2', draining: false },
    ]);
    expect(await cli.store('disk', 'drain', 'disk2', '--cancel')).toMatchObject({
      code: 0,
      stdout: 'disk "disk2" was not being drained\n',
    });
  });

  test('--json gives what it moved', async () => {
    const cli = await redundantStore();
    const chunks = shardsOn(cli, 'disk2').length;
    const { stdout } = await cli.store('disk', 'drain', 'disk2', '--json');
    expect(parseLines(stdout)).toMatchObject([{ disk: 'disk2', drained: true, moved: chunks, failed: [] }]);
  });

  test('on a terminal draws a bar with what is on the disk', async () => {
    const cli = (await redundantStore()).with({ terminal: true });
    const { code, stderr } = await cli.store('disk', 'drain', 'disk2');
    expect(code).toBe(0);
    expect(stderr).toMatch(/drain disk2 .*\d+% {2}.* of \d\.\d MiB/);
    expect(stderr.lastIndexOf('\u001b[?25h')).toBeGreaterThan(stderr.lastIndexOf('\u001b[?25l'));
  });

  test('ends with 1 and tells what it could not move', async () => {
    const cli = await redundantStore('1+0', 3);
    const [first = ''] = shardsOn(cli, 'disk1', /\.chunk$/);
    writeFileSync(first, 'damage');
    const { code, stdout, stderr } = await cli.store('disk', 'drain', 'disk1');
    expect(code).toBe(1);
    expect(stdout).not.toContain('can follow');
    expect(stderr).toMatch(/^warning: /);
  });

  test.each<[string, string, number, RegExp]>([
    ['that is not there', 'disk9', 3, /^error: there is no disk "disk9"\n/],
    [
      'that the redundancy needs',
      'disk2',
      5,
      /^error: disk "disk2" is needed: the store's redundancy 2\+1 takes 3 disks, and 2 would be left; add another one first \("store disk add"\)\n$/,
    ],
  ])('of a disk %s is refused', async (_, name, code, says) => {
    const cli = await redundantStore('2+1', 3);
    const result = await cli.store('disk', 'drain', name);
    expect({ code: result.code, stdout: result.stdout }).toEqual({ code, stdout: '' });
    expect(result.stderr).toMatch(says);
    expect((await cli.store('disk', 'ls')).stdout).not.toContain('draining');
  });
});

describe('store disk remove', () => {
  test('says nothing of a folder that is gone', async () => {
    const cli = await redundantStore();
    rmSync(path.join(cli.root, 'disk2'), { recursive: true });
    await cli.store('disk', 'drain', 'disk2');
    expect(await cli.store('disk', 'remove', 'disk2')).toMatchObject({
      code: 0,
      stdout: 'removed disk "disk2"\n',
      stderr: '',
    });
  });

  test('takes a drained disk out of the store, and says that its folder may be deleted', async () => {
    const cli = await redundantStore();
    await cli.store('disk', 'drain', 'disk2');
    const folder = path.join(cli.root, 'disk2');
    expect(await cli.store('disk', 'remove', 'disk2')).toMatchObject({
      code: 0,
      stdout: `removed disk "disk2"; ${folder} is no longer part of the store and may be deleted\n`,
      stderr: '',
    });
    expect(disksOf(cli)).toEqual(['disk1', 'disk3', 'disk4']);
    rmSync(folder, { recursive: true });
    expect(await cli.store('verify')).toMatchObject({ code: 0 });
    expect((await readBig(cli)).equals(BIG)).toBe(true);
  });

  test('--json gives the disk and its folder', async () => {
    const cli = await redundantStore();
    await cli.store('disk', 'drain', 'disk4');
    expect(parseLines((await cli.store('disk', 'remove', 'disk4', '--json')).stdout)).toEqual([
      { disk: 'disk4', path: path.join(cli.root, 'disk4'), removed: true },
    ]);
  });

  test.each<[string, string, number, RegExp]>([
    ['that is not there', 'disk9', 3, /^error: there is no disk "disk9"\n/],
    [
      'that was not drained',
      'disk2',
      5,
      /^error: disk "disk2" cannot be removed: it has not been drained; "store disk drain disk2" moves everything off it\n$/,
    ],
  ])('of a disk %s is refused', async (_, name, code, says) => {
    const cli = await redundantStore();
    const result = await cli.store('disk', 'remove', name);
    expect({ code: result.code, stdout: result.stdout }).toEqual({ code, stdout: '' });
    expect(result.stderr).toMatch(says);
    expect(disksOf(cli)).toHaveLength(4);
  });
});

describe('store rebalance', () => {
  test('moves chunks to a disk that was added, and says how many', async () => {
    const cli = await redundantStore('1+1', 3);
    await cli.store('disk', 'add', 'disk4', cli.path('new'));
    const { code, stdout, stderr } = await cli.store('rebalance');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^moved \d+ chunks? \([\d.]+ MiB\), each read back\n$/);
    expect(shardsOn(cli, 'disk4').length).toBeGreaterThan(0);
    expect(await cli.store('verify')).toMatchObject({ code: 0 });
  });

  test('of a store that is even has nothing to do', async () => {
    const cli = new Cli();
    await cli.store('init');
    expect(await cli.store('rebalance')).toMatchObject({
      code: 0,
      stdout: 'nothing to move: every disk has its share\n',
      stderr: '',
    });
  });

  test('--json gives what it moved', async () => {
    const cli = await redundantStore('1+1', 3);
    await cli.store('disk', 'add', 'disk4', cli.path('new'));
    const [report] = parseLines((await cli.store('rebalance', '--json')).stdout);
    expect(report).toMatchObject({ failed: [] });
    expect(report?.['moved']).toBeGreaterThanOrEqual(shardsOn(cli, 'disk4').length);
    expect(report?.['movedBytes']).toBeGreaterThan(0);
  });
});

test('a disk may be lost, and a chunk of another be damaged, as far as the redundancy goes', async () => {
  const cli = await redundantStore('2+2', 5);
  rmSync(path.join(cli.root, 'disk5'), { recursive: true });
  ruinSmall(cli);
  expect((await readBig(cli)).equals(BIG)).toBe(true);
  mkdirSync(cli.path('new'));
  expect(await cli.store('disk', 'replace', 'disk5', cli.path('new'))).toMatchObject({ code: 0 });
  expect(allShards(cli).filter((file) => file.endsWith('.corrupt'))).toEqual([]);
  expect(await cli.store('verify')).toMatchObject({ code: 0 });
});
