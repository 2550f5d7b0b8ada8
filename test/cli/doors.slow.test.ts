import { readFileSync, statSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { compiledDoor, sourceDoor } from '../support/build.ts';
import { seededBytes } from '../support/bytes.ts';
import { runDoor, runProgram } from '../support/processes.ts';
import { tempFolder } from '../support/temp.ts';

const PROJECT = path.resolve(import.meta.dirname, '../..');
const TSX = path.join(PROJECT, 'node_modules/tsx/dist/cli.mjs');

function withFile(): { folder: string; bytes: Buffer } {
  const folder = tempFolder();
  const bytes = seededBytes(2_500_000, 'doors');
  writeFileSync(path.join(folder, 'demo.bin'), bytes);
  return { folder, bytes };
}

describe('an object comes back byte for byte', () => {
  test('through the sources with tsx, as the README begins', async () => {
    const { folder, bytes } = withFile();
    const tsx = (args: string[]): ReturnType<typeof runProgram> =>
      runProgram(process.execPath, [TSX, ...args], { cwd: folder });
    const up = await tsx([sourceDoor('upload'), 'my-bucket', 'demo.bin']);
    expect(up).toMatchObject({ code: 0, stderr: '' });
    expect(up.stdout).toMatch(/^my-bucket\/demo\.bin {2}3 chunks /);
    expect(await tsx([sourceDoor('download'), 'my-bucket/demo.bin'])).toMatchObject({ code: 0, stderr: '' });
    expect(readFileSync(path.join(folder, 'downloaded_files/demo.bin')).equals(bytes)).toBe(true);
    expect((await tsx([sourceDoor('store'), 'ls', 'my-bucket'])).stdout).toMatch(/2\.4 MiB {2}demo\.bin\n$/);
  });

  test('through the compiled commands', async () => {
    const { folder, bytes } = withFile();
    expect(await runDoor('upload', ['my-bucket', 'demo.bin'], { cwd: folder })).toMatchObject({ code: 0, stderr: '' });
    expect(await runDoor('download', ['my-bucket/demo.bin'], { cwd: folder })).toMatchObject({ code: 0, stderr: '' });
    expect(readFileSync(path.join(folder, 'downloaded_files/demo.bin')).equals(bytes)).toBe(true);
    expect((await runDoor('store', ['ls', 'my-bucket'], { cwd: folder })).stdout).toMatch(/2\.4 MiB {2}demo\.bin\n$/);
  });

  test('through the scripts of npm', async () => {
    const { folder, bytes } = withFile();
    const npm = (script: string, ...args: string[]): ReturnType<typeof runProgram> =>
      runProgram('npm', ['run', '--silent', script, '--', ...args, '--root', path.join(folder, 'store')], {
        cwd: PROJECT,
      });
    const up = await npm('upload', 'my-bucket', path.join(folder, 'demo.bin'));
    expect(up.code).toBe(0);
    expect(up.stdout).toMatch(/^my-bucket\/demo\.bin {2}3 chunks /);
    expect((await npm('download', 'my-bucket/demo.bin', '-o', path.join(folder, 'out'))).code).toBe(0);
    expect(readFileSync(path.join(folder, 'out')).equals(bytes)).toBe(true);
  });
});

test('the exit code of the process is that of the command', async () => {
  const folder = tempFolder();
  expect(await runDoor('upload', [], { cwd: folder })).toMatchObject({ code: 2, stdout: '' });
  expect(await runDoor('store', ['ls'], { cwd: folder })).toMatchObject({ code: 3, stdout: '' });
  expect(await runDoor('upload', ['my-bucket', 'none1', 'none2'], { cwd: folder })).toMatchObject({
    code: 1,
    stdout: '',
  });
});

test('the entry points begin with the line that lets a shell run them', () => {
  for (const door of ['upload', 'download', 'store'] as const) {
    for (const file of [sourceDoor(door), compiledDoor(door)]) {
      expect(statSync(file).isFile()).toBe(true);
      expect(readFileSync(file, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
    }
  }
});
