import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseLines, type Cli } from '../support/cli.ts';
import { allShards, BIG, redundantStore, ruinSmall, shardsOn, unplug } from './redundant-store.ts';

const WHOLE = /^2 objects: 2 whole, 0 degraded, 0 lost {2}8\.0 MiB checked {2}[\d.]+ \S+ {2}[\d.]+ [KMG]iB\/s\n$/;

describe('store verify', () => {
  test('of a store that is whole is one line, and ends with 0', async () => {
    const cli = await redundantStore();
    const { code, stdout, stderr } = await cli.store('verify');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(WHOLE);
  });

  test('names an object that is degraded, what it survives, and what is wrong on which disk; it ends with 4', async () => {
    const cli = await redundantStore('2+1', 3);
    const [first = ''] = shardsOn(cli, 'disk2', /00000\d\.chunk$/);
    writeFileSync(first, 'damage');
    const { code, stdout, stderr } = await cli.store('verify');
    expect({ code, stderr }).toEqual({ code: 4, stderr: '' });
    const lines = stdout.split('\n');
    expect(lines.slice(0, 2)).toEqual([
      'degraded  photos/big  survives 0 more',
      `  disk2: 1 chunk damaged (${path.basename(first).slice(37)})`,
    ]);
    expect(lines[2]).toMatch(/^2 objects: 1 whole, 1 degraded, 0 lost {2}/);
    expect(lines).toHaveLength(4);
  });

  test('names the bytes of an object that are lost', async () => {
    const cli = await redundantStore('2+1', 3);
    // Chunks 2 and 3 are one stripe.
    for (const file of allShards(cli, /00000[23]\.chunk$/)) rmSync(file);
    const { code, stdout } = await cli.store('verify');
    expect(code).toBe(4);
    expect(stdout).toMatch(
      /^lost {6}photos\/big {2}bytes 2097152-4194303\n {2}disk\d: 1 chunk missing \(00000\d\.chunk\)\n {2}disk\d: /,
    );
    expect(stdout).toMatch(/\n2 objects: 1 whole, 0 degraded, 1 lost {2}/);
  });

  test('tells a disk that is away once an object, not once a chunk', async () => {
    const cli = await redundantStore('2+1', 3);
    unplug(cli, 'disk3');
    const { code, stdout } = await cli.store('verify');
    expect(code).toBe(4);
    expect(stdout.match(/^ {2}disk3: 2 chunks, 1 parity chunk and the meta offline \(.*\)$/gm)).toHaveLength(1);
    expect(stdout.match(/^degraded {2}/gm)).toHaveLength(2);
    expect(stdout.split('\n')).toHaveLength(2 + 2 + 1 + 1);
  });

  test('--quick sees what is missing or too short, and not what is only wrong', async () => {
    const cli = await redundantStore('2+1', 3);
    const [wrong = '', short = ''] = shardsOn(cli, 'disk1', /00000\d\.chunk$/);
    writeFileSync(wrong, Buffer.alloc(1024 * 1024));
    const quick = await cli.store('verify', '--quick');
    expect(quick.code).toBe(0);
    expect(quick.stdout).toMatch(/^2 objects: 2 whole, 0 degraded, 0 lost {2}looked for 8\.0 MiB, read nothing {2}/);
    expect(await cli.store('verify')).toMatchObject({ code: 4 });
    truncateSync(short, 5);
    expect(await cli.store('verify', '--quick')).toMatchObject({ code: 4 });
  });

  test.each([
    ['photos/small', 1],
    ['photos/b', 1],
    ['photos', 2],
    ['photos/', 2],
  ])('%s looks only at that', async (address, objects) => {
    const cli = await redundantStore();
    const { code, stdout } = await cli.store('verify', address, '--json');
    expect(code).toBe(0);
    expect(parseLines(stdout).at(-1)).toMatchObject({ type: 'total', objects });
  });

  test.each(['verify', 'heal'])(
    '%s of a prefix that no key begins with is told as a mistake; of an empty bucket it is not',
    async (command) => {
      const cli = await redundantStore();
      for (const json of [[], ['--json']]) {
        expect(await cli.store(command, 'photos/none', ...json)).toMatchObject({
          code: 3,
          stdout: '',
          stderr: 'error: there is no object "photos/none"…\n  "store ls -r <bucket>" lists its objects\n',
        });
      }
      await cli.store('bucket', 'create', 'nothing-here');
      expect(await cli.store(command, 'nothing-here')).toMatchObject({ code: 0, stderr: '' });
    },
  );

  test.each<[string, RegExp, (cli: Cli) => void]>([
    [
      'missing',
      /disk "disk2" is missing \(.*\): bring it back, or, if it is lost, "store disk replace disk2"/,
      (cli) => {
        unplug(cli, 'disk2');
      },
    ],
    [
      'swapped',
      /disk "disk2" is swapped \(it is this store's disk "disk1"\): put the folders back in their places/,
      (cli) => {
        cpSync(path.join(cli.root, 'disk1/disk.json'), path.join(cli.root, 'disk2/disk.json'));
      },
    ],
    [
      'unmarked',
      /disk "disk2" is unmarked \(there is no disk.json in it, but other files are\): the README says how to write its mark again; or, /,
      (cli) => {
        rmSync(path.join(cli.root, 'disk2/disk.json'));
      },
    ],
    [
      'former',
      /disk "disk2" is former \(it was "disk2" until that was replaced \(.*\)\): bring back the one that replaced it, or take this one back with "store disk replace disk2"/,
      (cli) => {
        const mark = path.join(cli.root, 'disk2/disk.json');
        writeFileSync(mark, readFileSync(mark, 'utf8').replace(/"id": ".{8}/, '"id": "01234567'));
      },
    ],
  ])('on a terminal says what can be done about a disk that is %s', async (_, advice, harm) => {
    const cli = await redundantStore();
    harm(cli);
    const { code, stderr } = await cli.with({ terminal: true }).store('verify');
    expect(code).toBe(4);
    expect(stderr).toMatch(advice);
    expect((await cli.store('verify')).stderr).toBe('');
  });

  test('--json gives a line for every object, and one for all', async () => {
    const cli = await redundantStore('2+1', 3);
    ruinSmall(cli);
    const { code, stdout } = await cli.store('verify', '--json');
    expect(code).toBe(4);
    const lines = parseLines(stdout);
    expect(lines).toMatchObject([
      {
        type: 'object',
        bucket: 'photos',
        key: 'big',
        state: 'whole',
        redundancy: '2+1',
        size: BIG.length,
        survives: 1,
        problems: [],
        lost: [],
      },
      {
        type: 'object',
        bucket: 'photos',
        key: 'small',
        state: 'degraded',
        survives: 0,
        problems: [{ part: 'chunk', state: 'damaged' }],
        lost: [],
      },
      { type: 'total', objects: 2, whole: 1, degraded: 1, lost: 0, problems: 1, quick: false },
    ]);
    expect(lines[2]?.['bytes']).toBeGreaterThan(BIG.length);
    expect(lines[2]?.['seconds']).toBeTypeOf('number');
    expect(lines[2]?.['bytesPerSecond']).toBeTypeOf('number');
  });

  test('changes nothing', async () => {
    const cli = await redundantStore('2+1', 3);
    const [first = ''] = allShards(cli);
    rmSync(first);
    const before = await cli.store('verify');
    expect((await cli.store('verify')).stdout.split('\n').slice(0, 2)).toEqual(before.stdout.split('\n').slice(0, 2));
    expect(allShards(cli)).not.toContain(first);
  });

  test.each([
    ['whole', [], /verify .*\d+% {2}.* of 8\.0 MiB.*MiB\/s/],
    ['a bucket', ['photos'], /verify .*\d+% {2}.* of 8\.0 MiB/],
    ['--quick', ['--quick'], /verify {2}/],
  ])('on a terminal draws a bar on stderr and takes it away again (%s)', async (_, args, bar) => {
    const cli = await redundantStore();
    ruinSmall(cli);
    const { stdout, stderr } = await cli.with({ terminal: true }).store('verify', ...args);
    expect(stderr).toMatch(bar);
    expect(stderr.lastIndexOf('\u001b[?25h')).toBeGreaterThan(stderr.lastIndexOf('\u001b[?25l'));
    expect(stdout).toMatch(/2 objects: /);
  });

  test('--json on a terminal draws no bar among its lines', async () => {
    const cli = await redundantStore();
    const { stdout, stderr } = await cli.with({ terminal: true }).store('verify', '--json');
    expect(stderr).toBe('');
    expect(parseLines(stdout)).toHaveLength(3);
  });

  test.each([
    ['a bucket that is not there', 'no-bucket', 3, /^error: there is no bucket "no-bucket"\n/],
    ['a bad bucket name', 'No', 2, /^error: bad bucket name "No"/],
  ])('of %s is refused', async (_, address, code, says) => {
    const cli = await redundantStore();
    const result = await cli.store('verify', address);
    expect(result).toMatchObject({ code, stdout: '' });
    expect(result.stderr).toMatch(says);
  });

  test('where too few disks answer ends with 4, and says so once', async () => {
    const cli = await redundantStore('2+1', 3);
    for (const disk of ['disk1', 'disk2']) unplug(cli, disk);
    const { code, stdout, stderr } = await cli.store('verify');
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
    expect(stderr).toMatch(/^error: 1 of 3 disks are online, a read needs 2: .*\n {2}bring disks back.*\n$/);
  });

  test('shows the name of an object so that it can do nothing to the terminal', async () => {
    const cli = await redundantStore('1+0', 3);
    await cli.with({ stdin: 'x' }).upload('photos', '-', '--key', 'a\u001b[2J\nb');
    for (const file of allShards(cli)) rmSync(file);
    const { stdout } = await cli.store('verify');
    expect(stdout).toContain('lost      photos/a\\u001b[2J\\nb  bytes 0-0\n');
    expect(stdout).not.toMatch(/[^\P{Cc}\n]/u);
  });
});
