import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { Cli, parseLines } from '../support/cli.ts';
import { runDoor } from '../support/processes.ts';

/** A store with an object of each key; its content is the key. */
async function withKeys(...keys: string[]): Promise<Cli> {
  const cli = new Cli();
  for (const key of keys) {
    expect(await cli.with({ stdin: key }).upload('my-bucket', '-', '--key', key)).toMatchObject({ code: 0 });
  }
  return cli;
}

/** The files below a folder, by their paths, with what is in them. */
function filesBelow(folder: string): Record<string, string> {
  const files: Record<string, string> = {};
  if (!existsSync(folder)) return files;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    if (!entry.isDirectory()) files[path.relative(folder, file)] = readFileSync(file, 'utf8');
  }
  return files;
}

const same = (...keys: string[]): Record<string, string> => Object.fromEntries(keys.map((key) => [key, key]));

describe('download of many objects', () => {
  test('-r of a bucket gives all its objects, each under its key', async () => {
    const cli = await withKeys('a', 'b/c', 'b/d/e', '.hidden', 'with space/ü');
    const { code, stdout, stderr } = await cli.download('-r', 'my-bucket', '-o', cli.path('out'));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(filesBelow(cli.path('out'))).toEqual(same('a', 'b/c', 'b/d/e', '.hidden', 'with space/ü'));
    expect(stdout).toMatch(/\n5 files {2}\d+ B {2}.*\n$/);
  });

  test.each([
    ['-r bucket/prefix', ['-r', 'my-bucket/2026/']],
    ['--prefix', ['my-bucket', '--prefix', '2026/']],
  ])('%s gives what begins so, under its whole key', async (_, args) => {
    const cli = await withKeys('2026/a', '2026/b/c', '2025/a', '2026');
    expect(await cli.download(...args, '-o', cli.path('out'))).toMatchObject({ code: 0 });
    expect(filesBelow(cli.path('out'))).toEqual(same('2026/a', '2026/b/c'));
  });

  test('a prefix may end inside a name', async () => {
    const cli = await withKeys('log-1', 'log-2/x', 'lo', 'other');
    await cli.download('-r', 'my-bucket/log', '-o', cli.path('out'));
    expect(filesBelow(cli.path('out'))).toEqual(same('log-1', 'log-2/x'));
  });

  test('lands below downloaded_files without -o', async () => {
    const cli = await withKeys('a', 'b/c');
    expect(await runDoor('download', ['-r', 'my-bucket', '--root', cli.root], { cwd: cli.folder })).toMatchObject({
      code: 0,
      stderr: '',
    });
    expect(filesBelow(cli.path('downloaded_files'))).toEqual(same('a', 'b/c'));
  });

  test('--json gives one object a file and no summary', async () => {
    const cli = await withKeys('a', 'b/c');
    const { stdout } = await cli.download('-r', 'my-bucket', '-o', cli.path('out'), '--json');
    expect(
      parseLines(stdout)
        .map(({ key, file }) => [key, file])
        .sort(),
    ).toEqual([
      ['a', cli.path('out/a')],
      ['b/c', cli.path('out/b/c')],
    ]);
  });

  test('a key that cannot be a file name is named, the others are read, and the exit code is 1', async () => {
    const cli = await withKeys('a', '../up', 'x//y', 'z');
    const { code, stdout, stderr } = await cli.download('-r', 'my-bucket', '-o', cli.path('out/here'));
    expect(code).toBe(1);
    expect(filesBelow(cli.path('out'))).toEqual({ 'here/a': 'a', 'here/z': 'z' });
    expect(stderr).toContain('key "../up" cannot be a file below');
    expect(stderr).toContain('key "x//y" cannot be a file below');
    expect(stdout).toMatch(/\n2 files .* {2}2 failed\n$/);
  });

  test('of "a" and "a/b" one is read and the other named, because no folder holds both', async () => {
    const cli = await withKeys('a', 'a/b', 'z');
    const { code, stderr } = await cli.download('-r', 'my-bucket', '-o', cli.path('out'));
    expect(code).toBe(1);
    const files = filesBelow(cli.path('out'));
    expect(files['z']).toBe('z');
    expect(Object.keys(files)).toHaveLength(2);
    expect(stderr).toMatch(/^error: cannot write ".*out\/a(\/b)?": .*\n$/);
    expect(readdirSync(cli.path('out'), { recursive: true }).filter((name) => String(name).endsWith('.part'))).toEqual(
      [],
    );
  });

  test('a file where a key needs folders does not stop the others', async () => {
    const cli = await withKeys('a/b/c', 'z1', 'z2', 'z3', 'z4', 'z5');
    mkdirSync(cli.path('out'));
    writeFileSync(cli.path('out/a'), 'a file');
    const { code, stderr } = await cli.download('-r', 'my-bucket', '-o', cli.path('out'));
    expect(code).toBe(1);
    expect(stderr).toContain('out/a/b/c');
    expect(filesBelow(cli.path('out'))).toEqual({ a: 'a file', ...same('z1', 'z2', 'z3', 'z4', 'z5') });
  });

  test('nothing under the prefix is not found', async () => {
    const cli = await withKeys('a');
    const { code, stdout, stderr } = await cli.download('-r', 'my-bucket/none', '-o', cli.path('out'));
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toMatch(/^error: there is no object "my-bucket\/none"/);
    expect(existsSync(cli.path('out'))).toBe(false);
  });

  test.each([
    ['--range', ['-r', 'my-bucket', '--range', '0-1']],
    ['-o -', ['-r', 'my-bucket', '-o', '-']],
    ['--prefix beside a key', ['my-bucket/a', '--prefix', 'b']],
  ])('does not go with %s', async (_, args) => {
    const { code, stdout, stderr } = await new Cli().download(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^error: .*\nusage: download .*\n$/);
  });
});
