import { existsSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { describeRedundancy } from '../../src/cli/input/redundancy.ts';
import { seededBytes } from '../support/bytes.ts';
import { Cli, parseLines } from '../support/cli.ts';
import { BIG, readBig, redundantStore, unplug } from './redundant-store.ts';

const MIB = 1024 * 1024;
const NOTE = /would not survive the loss of a disk/g;

describe('--redundancy', () => {
  test("of store init is the store's default, and is shown", async () => {
    const cli = new Cli({ stdin: 'x' });
    const { code, stdout } = await cli.store('init', '--disks', '4', '--redundancy', '2+2');
    expect(code).toBe(0);
    expect(stdout).toMatch(/\nredundancy 2\+2: survives the loss of 2 disks\n$/);
    expect(parseLines((await cli.upload('my-bucket', '-', '--key', 'k', '--json')).stdout)).toMatchObject([
      { redundancy: '2+2', parity: 2, unwritten: 0 },
    ]);
  });

  test("of store bucket create is the bucket's, and the lists of buckets show it", async () => {
    const cli = new Cli({ stdin: 'x' });
    expect(await cli.store('bucket', 'create', 'safe', '--redundancy', '1+2')).toMatchObject({
      code: 0,
      stdout: 'created safe  1+2\n',
    });
    await cli.store('bucket', 'create', 'plain');
    for (const list of [['bucket', 'ls'], ['ls']]) {
      expect((await cli.store(...list)).stdout).toMatch(/^\S+ \S+ {2}plain\n\S+ \S+ {2}safe {2}1\+2\n$/);
      const lines = parseLines((await cli.store(...list, '--json')).stdout);
      expect(lines.map(({ bucket, redundancy }) => [bucket, redundancy])).toEqual([
        ['plain', undefined],
        ['safe', '1+2'],
      ]);
    }
    const { stdout } = await cli.upload('safe', '-', '--key', 'k', '--json');
    expect(parseLines(stdout)).toMatchObject([{ redundancy: '1+2', parity: 2 }]);
  });

  test('of upload is the object’s, whatever bucket and store have', async () => {
    const cli = await redundantStore();
    const { stdout } = await cli
      .with({ stdin: BIG })
      .upload('photos', '-', '--key', 'mirrored', '--redundancy', '1+1', '--json');
    expect(parseLines(stdout)).toMatchObject([{ redundancy: '1+1', parity: 6, unwritten: 0 }]);
  });

  test('and the parity stand in the result line of an upload that has some', async () => {
    const cli = await redundantStore();
    const { stdout } = await cli.with({ stdin: BIG }).upload('photos', '-', '--key', 'again');
    expect(stdout).toMatch(/^photos\/again {2}6 chunks \(.*\) {2}2\+1: 3 parity {2}5\.0 MiB {2}/);
  });

  test.each(['2', '2+', '+1', '0+1', '2+1+1', 'two+one', '-1+2', '30+3', ''])(
    '%j is refused with 2 everywhere, and nothing is made',
    async (text) => {
      const cli = new Cli();
      writeFileSync(cli.path('f'), 'x');
      const results = [
        await cli.store('init', `--redundancy=${text}`),
        await cli.store('bucket', 'create', 'my-bucket', `--redundancy=${text}`),
        await cli.upload('my-bucket', cli.path('f'), `--redundancy=${text}`),
      ];
      for (const { code, stdout, stderr } of results) {
        expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
        expect(stderr).toMatch(/^error: bad redundancy ".*": it is k\+m.*\n {2}redundancy is k\+m, such as 1\+1.*\n$/);
      }
      expect(existsSync(cli.root)).toBe(false);
    },
  );

  test('that is wider than the disks is refused with 2, and says how many it takes', async () => {
    const cli = new Cli({ stdin: 'x' });
    const init = await cli.store('init', '--redundancy', '4+2');
    expect(init).toMatchObject({ code: 2, stdout: '' });
    expect(init.stderr).toMatch(/^error: redundancy 4\+2 needs 6 disks; there are 3\n/);
    expect(existsSync(cli.root)).toBe(false);
    expect(await cli.upload('my-bucket', '-', '--key', 'k', '--redundancy', '2+2')).toMatchObject({
      code: 2,
      stdout: '',
    });
    expect(await cli.store('bucket', 'create', 'my-bucket', '--redundancy', '3+1')).toMatchObject({
      code: 2,
      stdout: '',
    });
    expect(existsSync(cli.root)).toBe(false);
    await cli.store('init');
    expect(await cli.upload('my-bucket', '-', '--key', 'k', '--redundancy', '2+2')).toMatchObject({
      code: 2,
      stdout: '',
    });
    expect((await cli.store('bucket', 'ls')).stdout).toBe('');
  });

  test.each([
    ['1+0', 3, '1+0: does not survive the loss of a disk'],
    ['2+1', 3, '2+1: survives the loss of 1 disk'],
    ['4+2', 6, '4+2: survives the loss of 2 disks'],
    ['1+2', 3, '1+2: survives the loss of 1 disk (2 of 3 disks must answer)'],
    ['1+1', 2, '1+1: survives the loss of 1 disk'],
  ])('%s on %i disks in words', (redundancy, disks, words) => {
    expect(describeRedundancy(redundancy, disks)).toBe(words);
  });
});

describe('store stat', () => {
  test('says what the object survives, and shows its parity', async () => {
    const cli = await redundantStore('2+1', 3);
    const { stdout } = await cli.store('stat', 'photos/big');
    expect(stdout).toContain(
      '\nredundancy  2+1: survives the loss of 1 disk\nchunks      6 chunks and 3 parity chunks of up to 1.0 MiB in chunks/',
    );
    const rows = [...stdout.matchAll(/^ {2}disk\d {2}([█◇·]{9}) {2}(\d) \+ (\d) parity$/gm)];
    expect(rows).toHaveLength(3);
    // Every column has one chunk or parity chunk: two chunks, then their parity.
    for (let column = 0; column < 9; column++) {
      expect(rows.map(([, row]) => row?.[column]).filter((cell) => cell !== '·')).toEqual([
        column % 3 === 2 ? '◇' : '█',
      ]);
    }
    expect(rows.reduce((sum, [, , chunks]) => sum + Number(chunks), 0)).toBe(6);
    expect(rows.reduce((sum, [, , , parity]) => sum + Number(parity), 0)).toBe(3);
  });
});

describe('an upload that would not survive the loss of a disk', () => {
  test('says so on a terminal, in one line for all objects, and how to change it', async () => {
    const cli = new Cli({ terminal: true });
    for (const name of ['a', 'b']) writeFileSync(cli.path(name), name);
    const { code, stdout, stderr } = await cli.upload('my-bucket', cli.path('a'), cli.path('b'));
    expect(code).toBe(0);
    expect(stdout).not.toMatch(NOTE);
    expect(stderr.match(NOTE)).toHaveLength(1);
    expect(stderr).toMatch(
      /2 objects would not survive the loss of a disk: --redundancy 1\+1 .*"store bucket create" and "store init".*\n$/,
    );
    expect((await cli.upload('my-bucket', cli.path('a'))).stderr).toContain('my-bucket/a would not survive');
  });

  test('says nothing elsewhere, with --quiet, or where it does survive', async () => {
    const cli = new Cli();
    writeFileSync(cli.path('a'), 'a');
    writeFileSync(cli.path('empty'), '');
    const onTerminal = cli.with({ terminal: true });
    expect((await cli.upload('my-bucket', cli.path('a'))).stderr).toBe('');
    expect((await onTerminal.upload('my-bucket', cli.path('a'), '--quiet')).stderr).toBe('');
    expect((await onTerminal.upload('my-bucket', cli.path('a'), '--redundancy', '1+1')).stderr).not.toMatch(NOTE);
    // Nothing of it is on one disk alone.
    expect((await onTerminal.upload('my-bucket', cli.path('empty'))).stderr).not.toMatch(NOTE);
  });

  test('in a store of one disk says that it takes a second one', async () => {
    const cli = new Cli({ terminal: true, stdin: 'x' });
    await cli.store('init', '--disks', '1');
    expect((await cli.upload('my-bucket', '-', '--key', 'k')).stderr).toMatch(
      /would not survive the loss of a disk: "store disk add" adds a second disk/,
    );
  });
});

describe('an upload while a disk is away', () => {
  test('warns where chunks had no disk to go to, counts them, and heal mends that', async () => {
    const cli = await redundantStore('2+1', 3);
    const plugIn = unplug(cli, 'disk2');
    const { code, stdout, stderr } = await cli.with({ stdin: BIG }).upload('photos', '-', '--key', 'again', '--json');
    expect(code).toBe(0);
    expect(parseLines(stdout)).toMatchObject([{ key: 'again', redundancy: '2+1', parity: 3, unwritten: 3 }]);
    expect(stderr).toContain(
      'warning: photos/again is not yet fully protected: 3 chunks had no disk to go to; "store heal" mends that\n',
    );
    plugIn();
    expect(await cli.store('verify')).toMatchObject({ code: 4 });
    expect((await cli.store('heal')).stdout).toContain('healed 3 chunks');
    unplug(cli, 'disk1');
    expect((await cli.download('photos/again', '-o', '-')).bytes.equals(BIG)).toBe(true);
  });

  test('does not warn where every chunk found a disk', async () => {
    const cli = await redundantStore();
    unplug(cli, 'disk2');
    const { stdout, stderr } = await cli
      .with({ stdin: seededBytes(2 * MIB, 1) })
      .upload('photos', '-', '--key', 'again', '--json');
    expect(parseLines(stdout)).toMatchObject([{ unwritten: 0 }]);
    const warning = 'warning: disk "disk2" is missing (there is no such folder); the upload went on without it\n';
    expect(stderr).toBe(warning);
    expect((await readBig(cli)).equals(BIG)).toBe(true);
    // Once, however many files there are.
    for (const name of ['a', 'b', 'c']) writeFileSync(cli.path(name), name);
    expect(await cli.upload('photos', cli.path('a'), cli.path('b'), cli.path('c'))).toMatchObject({
      code: 0,
      stderr: warning,
    });
  });
});
