import { readdirSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { seededBytes } from '../support/bytes.ts';
import { Cli, parseLines } from '../support/cli.ts';
import { filesIn } from '../support/store.ts';

const MIB = 1024 * 1024;

/** A store with an object of each key; its content is the key. */
async function withKeys(...keys: string[]): Promise<Cli> {
  const cli = new Cli();
  for (const key of keys) {
    expect(await cli.with({ stdin: key }).upload('my-bucket', '-', '--key', key)).toMatchObject({ code: 0 });
  }
  return cli;
}

async function keysOf(cli: Cli): Promise<unknown[]> {
  return parseLines((await cli.store('ls', '-r', '--json', 'my-bucket')).stdout).map(({ key }) => key);
}

describe('store ls', () => {
  test('lists the buckets in order, with the time of their making', async () => {
    const cli = new Cli();
    await cli.store('bucket', 'create', 'zzz', 'aaa', 'm.m');
    const { code, stdout } = await cli.store('ls');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^(\d{4}-\d\d-\d\d \d\d:\d\d {2}(aaa|m\.m|zzz)\n){3}$/);
    expect(stdout.match(/\S+$/gm)).toEqual(['aaa', 'm.m', 'zzz']);
    const lines = parseLines((await cli.store('ls', '--json')).stdout);
    expect(lines.map(({ bucket }) => bucket)).toEqual(['aaa', 'm.m', 'zzz']);
    expect(lines[0]?.['createdAt']).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
  });

  test('lists a bucket folder by folder', async () => {
    const cli = await withKeys('b', 'a/x', 'a/y/z', 'c');
    const { stdout } = await cli.store('ls', 'my-bucket');
    expect(stdout.match(/\S+$/gm)).toEqual(['a/', 'b', 'c']);
    expect(stdout).toMatch(/\n\d{4}-\d\d-\d\d \d\d:\d\d {8}1 B {2}b\n/);
    expect((await cli.store('ls', 'my-bucket/a/')).stdout.match(/\S+$/gm)).toEqual(['a/x', 'a/y/']);
  });

  test('-r lists all objects, in the byte order of their keys', async () => {
    const cli = await withKeys('b', 'a/x', 'a', 'a.b', 'é', '😀', '\uffee');
    expect((await cli.store('ls', '-r', 'my-bucket')).stdout.match(/\S+$/gm)).toEqual([
      'a',
      'a.b',
      'a/x',
      'b',
      'é',
      '\uffee',
      '😀',
    ]);
  });

  test.each([
    ['ls', 'my-bucket/lo', ['log', 'log/']],
    ['ls -r', 'my-bucket/log', ['log', 'log/a', 'log/a/b']],
    ['ls -r', 'my-bucket/log/a', ['log/a', 'log/a/b']],
    ['ls -r', 'my-bucket/log/a/', ['log/a/b']],
    ['ls -r', 'my-bucket/nothing', []],
  ])('%s of %s lists only what begins so', async (command, address, expected) => {
    const cli = await withKeys('l', 'log', 'log/a', 'log/a/b', 'other');
    const { code, stdout } = await cli.store(...command.split(' '), address);
    expect(code).toBe(0);
    expect(stdout.match(/\S+$/gm) ?? []).toEqual(expected);
  });

  test('--json gives an object a line, folders by their prefix', async () => {
    const cli = await withKeys('a/x', 'b.txt');
    expect(parseLines((await cli.store('ls', '--json', 'my-bucket')).stdout)).toMatchObject([
      { bucket: 'my-bucket', prefix: 'a/' },
      { bucket: 'my-bucket', key: 'b.txt', size: 5, contentType: 'text/plain' },
    ]);
  });

  test('of an empty bucket says nothing and ends well', async () => {
    const cli = new Cli();
    await cli.store('bucket', 'create', 'my-bucket');
    expect(await cli.store('ls', 'my-bucket')).toEqual(expect.objectContaining({ code: 0, stdout: '', stderr: '' }));
  });

  test('shows control characters of a key so that each object is one line', async () => {
    const cli = await withKeys('a\nb\u001b[2J\u009b');
    const { stdout } = await cli.store('ls', '-r', 'my-bucket');
    expect(stdout.slice(0, -1)).not.toMatch(/\p{Cc}/u);
  });
});

describe('store stat', () => {
  test('shows the meta and a picture of which disk has which chunk', async () => {
    const cli = new Cli({ stdin: seededBytes(7 * MIB + 1, 'stat') });
    await cli.upload('my-bucket', '-', '--key', 'f.bin');
    const { code, stdout } = await cli.store('stat', 'my-bucket/f.bin');
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^object {6}my-bucket\/f\.bin\nsize {8}7\.0 MiB \(7340033 bytes\)\ntype {8}application\/octet-stream\n/,
    );
    expect(stdout).toMatch(/\nchunks {6}8 chunks of up to 1\.0 MiB in chunks\/([0-9a-f]{2})\/[0-9a-f-]{34}\1\.\*\n/);
    const rows = [...stdout.matchAll(/^ {2}(disk\d) {2}([█·]+) {2}(\d)$/gm)];
    expect(rows.map(([, disk]) => disk)).toEqual(['disk1', 'disk2', 'disk3']);
    // Every column has one chunk, and a row's number is the count of its chunks.
    for (let column = 0; column < 8; column++)
      expect(rows.filter(([, , row]) => row?.[column] === '█')).toHaveLength(1);
    for (const [, disk, row, count] of rows) {
      expect(row).toHaveLength(8);
      expect(row?.replaceAll('·', '').length).toBe(Number(count));
      const folder = path.join(cli.root, disk ?? '', 'chunks');
      expect(readdirSync(folder, { recursive: true }).filter((name) => String(name).endsWith('.chunk'))).toHaveLength(
        Number(count),
      );
    }
  });

  test('--json gives the meta itself', async () => {
    const cli = await withKeys('k');
    expect(parseLines((await cli.store('stat', 'my-bucket/k', '--json')).stdout)).toMatchObject([
      {
        format: 1,
        bucket: 'my-bucket',
        key: 'k',
        size: 1,
        redundancy: '1+0',
        chunks: [{ order: 0, size: 1 }],
        parity: [],
      },
    ]);
  });

  test('has no colours where stdout is no terminal', async () => {
    const cli = await withKeys('k');
    expect((await cli.store('stat', 'my-bucket/k')).stdout).not.toContain('\u001b');
  });
});

describe('store rm', () => {
  test('deletes the objects that are named, and tells each', async () => {
    const cli = await withKeys('a', 'a/b', 'c');
    expect(await cli.store('rm', 'my-bucket/a', 'my-bucket/c')).toMatchObject({
      code: 0,
      stdout: 'deleted my-bucket/a\ndeleted my-bucket/c\n',
      stderr: '',
    });
    expect(await keysOf(cli)).toEqual(['a/b']);
  });

  test('leaves no chunk of them', async () => {
    const cli = await withKeys('a');
    await cli.store('rm', 'my-bucket/a');
    for (const disk of ['disk1', 'disk2', 'disk3']) expect(filesIn(path.join(cli.root, disk, 'chunks'))).toEqual([]);
  });

  test('--json gives an object a line', async () => {
    const cli = await withKeys('a');
    expect(parseLines((await cli.store('rm', '--json', 'my-bucket/a')).stdout)).toEqual([
      { bucket: 'my-bucket', key: 'a', deleted: true },
    ]);
  });

  test('-r deletes what begins with the prefix, and nothing else', async () => {
    const cli = await withKeys('log', 'log/a', 'log/b/c', 'l', 'lo', 'other');
    expect(await cli.store('rm', '-r', 'my-bucket/log')).toMatchObject({ code: 0, stderr: '' });
    expect(await keysOf(cli)).toEqual(['l', 'lo', 'other']);
  });

  test('-r of a folder leaves the object that is called as the folder', async () => {
    const cli = await withKeys('log', 'log/a', 'log/b/c', 'logs');
    await cli.store('rm', '-r', 'my-bucket/log/');
    expect(await keysOf(cli)).toEqual(['log', 'logs']);
  });

  test('-r of a bucket deletes all its objects; the bucket stays', async () => {
    const cli = await withKeys('a', 'b/c');
    await cli.store('rm', '-r', 'my-bucket');
    expect(await cli.store('ls', '-r', 'my-bucket')).toMatchObject({ code: 0, stdout: '' });
  });

  test('of one that is not there ends with 3; of several, with 1, and the others are deleted', async () => {
    const cli = await withKeys('a', 'b');
    const one = await cli.store('rm', 'my-bucket/none');
    expect(one).toMatchObject({ code: 3, stdout: '' });
    expect(one.stderr).toMatch(/^error: there is no object "my-bucket\/none"\n {2}.*\n$/);
    const several = await cli.store('rm', 'my-bucket/a', 'my-bucket/none', 'my-bucket/b');
    expect(several).toMatchObject({ code: 1, stdout: 'deleted my-bucket/a\ndeleted my-bucket/b\n' });
    expect(await keysOf(cli)).toEqual([]);
  });
});
