import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { seededBytes } from '../support/bytes.ts';
import { Cli, parseLines } from '../support/cli.ts';

const MIB = 1024 * 1024;

describe('store bucket', () => {
  test('create makes buckets, and the store where there is none', async () => {
    const cli = new Cli();
    expect(await cli.store('bucket', 'create', 'one-bucket', 'two-bucket')).toMatchObject({
      code: 0,
      stdout: 'created one-bucket\ncreated two-bucket\n',
      stderr: '',
    });
    expect((await cli.store('bucket', 'ls')).stdout.match(/\S+$/gm)).toEqual(['one-bucket', 'two-bucket']);
  });

  test('create of one that is there ends with 1 and makes the others', async () => {
    const cli = new Cli();
    await cli.store('bucket', 'create', 'one-bucket');
    const { code, stdout, stderr } = await cli.store('bucket', 'create', 'one-bucket', 'two-bucket');
    expect({ code, stdout }).toEqual({ code: 1, stdout: 'created two-bucket\n' });
    expect(stderr).toBe('error: there is a bucket "one-bucket" already\n');
  });

  test('rm deletes empty buckets', async () => {
    const cli = new Cli();
    await cli.store('bucket', 'create', 'one-bucket', 'two-bucket');
    expect(await cli.store('bucket', 'rm', 'one-bucket')).toMatchObject({
      code: 0,
      stdout: 'deleted one-bucket\n',
      stderr: '',
    });
    expect((await cli.store('bucket', 'ls')).stdout.match(/\S+$/gm)).toEqual(['two-bucket']);
    expect(await cli.store('ls', 'one-bucket')).toMatchObject({ code: 3 });
    for (const disk of ['disk1', 'disk2', 'disk3'])
      expect(readdirSync(path.join(cli.root, disk, 'buckets'))).toEqual(['two-bucket']);
  });

  test('rm refuses a bucket that holds an object, and names one', async () => {
    const cli = new Cli({ stdin: 'x' });
    await cli.upload('my-bucket', '-', '--key', 'a/b');
    const { code, stdout, stderr } = await cli.store('bucket', 'rm', 'my-bucket');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^error: bucket "my-bucket" is not empty: it holds "a\/b"\n {2}"store rm -r <bucket>".*\n$/);
    expect((await cli.download('my-bucket/a/b', '-o', '-')).stdout).toBe('x');
  });

  test('--json gives an object a line', async () => {
    const cli = new Cli();
    expect(parseLines((await cli.store('bucket', 'create', '--json', 'my-bucket')).stdout)).toEqual([
      { bucket: 'my-bucket', created: true },
    ]);
    expect(parseLines((await cli.store('bucket', 'ls', '--json')).stdout)).toMatchObject([{ bucket: 'my-bucket' }]);
    expect(parseLines((await cli.store('bucket', 'rm', '--json', 'my-bucket')).stdout)).toEqual([
      { bucket: 'my-bucket', deleted: true },
    ]);
  });
});

describe('store init', () => {
  test('makes three disks, and shows them', async () => {
    const cli = new Cli();
    const { code, stdout } = await cli.store('init');
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^store [0-9a-f-]{36} in .*\/store\n {2}disk1 {2}disk1\n {2}disk2 {2}disk2\n {2}disk3 {2}disk3\n$/,
    );
    expect(readdirSync(cli.root).sort()).toEqual(['.lock', 'disk1', 'disk2', 'disk3', 'store.json']);
  });

  test('--disks makes so many, and uploads go to all', async () => {
    const cli = new Cli({ stdin: seededBytes(5 * MIB, 1) });
    await cli.store('init', '--disks', '5');
    const { stdout } = await cli.upload('my-bucket', '-', '--key', 'k', '--json');
    expect(parseLines(stdout)[0]?.['chunks']).toEqual({ disk1: 1, disk2: 1, disk3: 1, disk4: 1, disk5: 1 });
  });

  test('--disk name=path takes folders elsewhere, links them in, and chunks land there', async () => {
    const cli = new Cli({ stdin: seededBytes(2 * MIB, 1) });
    mkdirSync(cli.path('nvme'));
    const { code, stdout } = await cli.store(
      'init',
      '--disk',
      `fast=${cli.path('nvme')}`,
      '--disk',
      `big=${cli.path('made/hdd')}`,
      '--json',
    );
    expect(code).toBe(0);
    expect(parseLines(stdout)).toMatchObject([
      { root: cli.root, format: 1, disks: [{ name: 'fast' }, { name: 'big' }] },
    ]);
    expect(readlinkSync(path.join(cli.root, 'fast'))).toBe(cli.path('nvme'));
    expect(await cli.upload('my-bucket', '-', '--key', 'k')).toMatchObject({ code: 0 });
    for (const folder of ['nvme/chunks', 'made/hdd/chunks']) expect(readdirSync(cli.path(folder))).toHaveLength(1);
  });

  test('takes the empty folders and links named disk… that stand in the root, in the order of their numbers', async () => {
    const cli = new Cli();
    for (const name of ['disk10', 'disk2']) mkdirSync(path.join(cli.root, name), { recursive: true });
    mkdirSync(cli.path('mount'));
    symlinkSync(cli.path('mount'), path.join(cli.root, 'disk1'));
    const { stdout } = await cli.store('init', '--json');
    expect(parseLines(stdout)).toMatchObject([{ disks: [{ name: 'disk1' }, { name: 'disk2' }, { name: 'disk10' }] }]);
    expect(existsSync(cli.path('mount/disk.json'))).toBe(true);
  });

  test('--durability is the setting of all uploads to come', async () => {
    const cli = new Cli();
    await cli.store('init', '--durability', 'none');
    expect(JSON.parse(readFileSync(path.join(cli.root, 'store.json'), 'utf8'))).toMatchObject({ durability: 'none' });
  });

  test('where a store is already, ends with 1 and changes nothing', async () => {
    const cli = new Cli();
    await cli.store('init');
    const before = readFileSync(path.join(cli.root, 'store.json'), 'utf8');
    const { code, stdout, stderr } = await cli.store('init', '--disks', '7');
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: '',
      stderr: `error: there is a store in "${cli.root}" already\n`,
    });
    expect(readFileSync(path.join(cli.root, 'store.json'), 'utf8')).toBe(before);
    expect(readdirSync(cli.root).sort()).toEqual(['.lock', 'disk1', 'disk2', 'disk3', 'store.json']);
  });

  test('of a folder that is not empty as a disk is refused with 2, and leaves no trace', async () => {
    const cli = new Cli();
    mkdirSync(cli.path('full'));
    writeFileSync(cli.path('full/data'), 'precious');
    const { code, stderr } = await cli.store(
      'init',
      '--disk',
      `new=${cli.path('new')}`,
      '--disk',
      `old=${cli.path('full')}`,
    );
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: ".*\/full" is not empty, so it cannot become disk "old"\n/);
    expect(readdirSync(cli.folder)).toEqual(['full']);
    expect(readFileSync(cli.path('full/data'), 'utf8')).toBe('precious');
  });

  test.each([
    ['--disks with --disk', ['--disks', '2', '--disk', 'a=b']],
    ['no disk at all', ['--disks', '0']],
    ['a disk without a path', ['--disk', 'a']],
    ['a disk without a name', ['--disk', '=b']],
    ['a disk with a bad name', ['--disk', 'a/b=c']],
    ['one disk name twice', ['--disk', 'a=x', '--disk', 'a=y']],
    ['one place twice', ['--disk', 'a=x', '--disk', 'b=x']],
  ])('refuses %s with 2, and makes nothing', async (_, args) => {
    const cli = new Cli();
    const { code, stdout, stderr } = await cli.store('init', ...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^error: /);
    expect(readdirSync(cli.folder)).toEqual([]);
  });
});

describe('store gc', () => {
  /** A store with one object, a dead upload's chunk and a staged file. */
  async function withLeftovers(): Promise<Cli> {
    const cli = new Cli({ stdin: 'kept' });
    await cli.upload('my-bucket', '-', '--key', 'k');
    const folder = path.join(cli.root, 'disk2/chunks/00');
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, '01890000-0000-7000-8000-000000000000.000000.chunk'), Buffer.alloc(1536));
    const staging =
      readdirSync(path.join(cli.root, 'disk1')).find(
        (name) => !['buckets', 'chunks', 'disk.json', 'horizon.json'].includes(name),
      ) ?? '';
    expect(statSync(path.join(cli.root, 'disk1', staging)).isDirectory()).toBe(true);
    writeFileSync(path.join(cli.root, 'disk1', staging, '01890000-0000-7000-8000-000000000001'), 'staged');
    return cli;
  }

  test('--dry-run tells what it would do, and does nothing', async () => {
    const cli = await withLeftovers();
    const dry = await cli.store('gc', '--dry-run');
    expect(dry).toMatchObject({
      code: 0,
      stdout: 'would remove 1 leftover chunk (1.5 KiB)\nwould remove 1 staged file and 0 tombstones\n',
      stderr: '',
    });
    expect((await cli.store('gc', '--dry-run')).stdout).toBe(dry.stdout);
  });

  test('removes what dead uploads left, keeps the objects, and the next one finds nothing', async () => {
    const cli = await withLeftovers();
    expect((await cli.store('gc')).stdout).toBe(
      'removed 1 leftover chunk (1.5 KiB)\nremoved 1 staged file and 0 tombstones\n',
    );
    expect((await cli.store('gc')).stdout).toBe(
      'removed 0 leftover chunks (0 B)\nremoved 0 staged files and 0 tombstones\n',
    );
    expect((await cli.download('my-bucket/k', '-o', '-')).stdout).toBe('kept');
  });

  test('--json gives the report', async () => {
    const cli = await withLeftovers();
    expect(parseLines((await cli.store('gc', '--json')).stdout)).toEqual([
      {
        dryRun: false,
        leftoverChunks: 1,
        leftoverBytes: 1536,
        stagedFiles: 1,
        tombstones: 0,
        settled: 0,
        inUse: 0,
        kept: [],
        failed: [],
      },
    ]);
  });
});
