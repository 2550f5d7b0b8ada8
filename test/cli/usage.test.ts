import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { downloadCommand } from '../../src/cli/commands/download.ts';
import type { CommandFactory } from '../../src/cli/commands/main.ts';
import { storeCommand } from '../../src/cli/commands/store.ts';
import { uploadCommand } from '../../src/cli/commands/upload.ts';
import { Cli, runCommand } from '../support/cli.ts';
import { runDoor } from '../support/processes.ts';

const FACTORIES: Record<string, CommandFactory> = {
  upload: uploadCommand,
  download: downloadCommand,
  store: storeCommand,
};

/** Runs a command line such as `store ls`, as it is written. */
function runLine(line: string, env: Record<string, string> = {}): ReturnType<typeof runCommand> {
  const [name = '', ...args] = line.split(' ').filter((word) => word !== '');
  const factory = FACTORIES[name];
  if (factory === undefined) throw new Error(`no command ${name}`);
  return runCommand(factory, args, { env });
}

describe('a mistake in the arguments ends with 2, one line and a usage hint on stderr, and nothing on stdout', () => {
  test.each([
    ['upload', "missing required argument 'bucket'", 'upload'],
    ['upload my-bucket', "missing required argument 'file'", 'upload'],
    ['upload --nope my-bucket f', "unknown option '--nope'", 'upload'],
    ['upload --quite my-bucket f', "unknown option '--quite' (Did you mean --quiet?)", 'upload'],
    ['upload my-bucket f --key', "option '--key <key>' argument missing", 'upload'],
    ['upload my-bucket f --concurrency 0', "option '--concurrency <n>' argument '0' is invalid", 'upload'],
    ['upload my-bucket f --concurrency 1e3', "argument '1e3' is invalid", 'upload'],
    ['upload my-bucket f --concurrency 257', "argument '257' is invalid", 'upload'],
    ['upload my-bucket f --durability maybe', "argument 'maybe' is invalid", 'upload'],
    ['upload my-bucket f g --key k', '--key goes with one file', 'upload'],
    ['upload my-bucket -r f --key k', '--key goes with one file', 'upload'],
    ['download', "missing required argument 'bucket/key'", 'download'],
    ['download a/b c/d', 'too many arguments', 'download'],
    ['download my-bucket', '"my-bucket" names no object; it needs <bucket>/<key>', 'download'],
    ['download my-bucket/', '"my-bucket/" names no object', 'download'],
    ['download my-bucket/k --concurrency x', "argument 'x' is invalid", 'download'],
    ['store bogus', "unknown command 'bogus'", 'store'],
    ['store stat', "missing required argument 'bucket/key'", 'store stat'],
    ['store stat my-bucket', '"my-bucket" names no object', 'store stat'],
    ['store stat my-bucket/k extra', 'too many arguments', 'store stat'],
    ['store rm', "missing required argument 'bucket/key'", 'store rm'],
    ['store rm my-bucket', '"my-bucket" names no object', 'store rm'],
    ['store rm stat', '"stat" names no object', 'store rm'],
    ['store ls --long', "unknown option '--long'", 'store ls'],
    ['store init --disks many', "argument 'many' is invalid", 'store init'],
    ['store init --disks 2 --disk a=b', '--disks and --disk exclude each other', 'store init'],
    ['store init --disk gc', 'bad --disk "gc"', 'store init'],
    ['store gc now', 'too many arguments', 'store gc'],
    ['store bucket create', "missing required argument 'bucket'", 'store bucket create'],
    ['store bucket make b', "unknown command 'make'", 'store bucket'],
    ['store verify a/b c/d', 'too many arguments', 'store verify'],
    ['store verify --dry-run', "unknown option '--dry-run'", 'store verify'],
    ['store heal --rate', "option '--rate <MiB/s>' argument missing", 'store heal'],
    ['store heal --rate 0', "argument '0' is invalid", 'store heal'],
    ['store heal --rate 0.001', "argument '0.001' is invalid", 'store heal'],
    ['store heal --rate -5', "argument '-5' is invalid", 'store heal'],
    ['store heal --rate 1e3', "argument '1e3' is invalid", 'store heal'],
    ['store heal --rate fast', "argument 'fast' is invalid", 'store heal'],
    ['store rebalance --rate x', "argument 'x' is invalid", 'store rebalance'],
    ['store disk add', "missing required argument 'name'", 'store disk add'],
    ['store disk add disk4', "missing required argument 'path'", 'store disk add'],
    ['store disk replace', "missing required argument 'name'", 'store disk replace'],
    ['store disk drain', "missing required argument 'name'", 'store disk drain'],
    ['store disk drain disk1 --cancel --rate 5', '--rate does not go with --cancel', 'store disk drain'],
    ['store disk remove', "missing required argument 'name'", 'store disk remove'],
    ['store disk remove disk1 disk2', 'too many arguments', 'store disk remove'],
    ['store disk format disk1', "unknown command 'format'", 'store disk'],
  ])('%s', async (line, message, command) => {
    const { code, stdout, stderr } = await runLine(line);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    const [first, second, ...rest] = stderr.split('\n');
    expect(first).toMatch(/^error: /);
    expect(first).toContain(message);
    expect(second).toMatch(new RegExp(`^usage: ${command} [\\[<].*\\(${command} --help says more\\)$`));
    expect(rest).toEqual(['']);
  });

  test.each(['store', 'store bucket', 'store disk'])('%s without a command shows its help, on stderr', async (line) => {
    const { code, stdout, stderr } = await runLine(line);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(`Usage: ${line} [options] [command]`);
  });
});

describe('--help', () => {
  test.each([
    'upload',
    'download',
    'store',
    'store ls',
    'store stat',
    'store rm',
    'store bucket',
    'store bucket create',
    'store bucket rm',
    'store bucket ls',
    'store init',
    'store verify',
    'store heal',
    'store disk',
    'store disk ls',
    'store disk add',
    'store disk replace',
    'store disk drain',
    'store disk remove',
    'store rebalance',
    'store gc',
  ])('of %s shows usage, every common option, examples and all exit codes', async (line) => {
    const { code, stdout, stderr } = await runLine(`${line} --help`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`^Usage: ${line} `));
    for (const option of ['--root <dir>', 'MINI_OBJECT_STORE_ROOT', '--json', '--debug', '-h, --help', '--version'])
      expect(stdout).toContain(option);
    expect(stdout).toMatch(new RegExp(`\nExamples:\n(.*\n)*? +.*\\b${line}( |\n)`));
    expect(stdout).toMatch(/\nExit codes:\n/);
    for (const exitCode of [0, 1, 2, 3, 4, 5, 130])
      expect(stdout).toMatch(new RegExp(`^( {2}|.* {2})${exitCode} {2}\\S`, 'm'));
  });

  test('shows only examples that the commands take', async () => {
    const cli = new Cli();
    const examples = (
      await Promise.all(['upload', 'download', 'store'].map(async (line) => (await runLine(`${line} --help`)).stdout))
    )
      .flatMap((help) => help.split('\nExamples:\n')[1]?.split('\n\n')[0]?.split('\n') ?? [])
      .map((line) => line.trim().split(/ {2,}/)[0] ?? '');
    expect(examples.length).toBeGreaterThan(9);
    for (const example of examples) {
      const command = example.replace(/^.*\| (?=upload)/, '').replace(/ \|.*$/, '');
      const { stderr } = await runLine(`${command} --root ${cli.path('none')} --json`);
      expect(stderr, example).not.toContain('usage:');
    }
  });
});

describe('--version', () => {
  const { version } = JSON.parse(readFileSync(path.join(import.meta.dirname, '../../package.json'), 'utf8')) as {
    version: string;
  };

  test.each(['upload', 'download', 'store'])(
    'of %s shows the version of the package, in this process and compiled',
    async (name) => {
      expect(await runLine(`${name} --version`)).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' });
      const door = name === 'upload' || name === 'download' ? name : 'store';
      expect(await runDoor(door, ['--version'])).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' });
    },
  );
});

describe('the store', () => {
  test('is where MINI_OBJECT_STORE_ROOT says', async () => {
    const cli = new Cli();
    await cli.store('bucket', 'create', 'my-bucket');
    const { code, stdout } = await runLine('store ls', { MINI_OBJECT_STORE_ROOT: cli.root });
    expect(code).toBe(0);
    expect(stdout).toMatch(/my-bucket\n$/);
  });

  test('is where --root says, before or after the subcommand, whatever the variable says', async () => {
    const cli = new Cli();
    await cli.store('bucket', 'create', 'my-bucket');
    const env = { MINI_OBJECT_STORE_ROOT: cli.path('other') };
    expect(await runLine(`store --root ${cli.root} ls`, env)).toMatchObject({ code: 0 });
    expect(await runLine(`store ls --root ${cli.root}`, env)).toMatchObject({ code: 0 });
  });

  test('is in storage_nodes where the variable is empty, not in the folder itself', async () => {
    const cli = new Cli();
    writeFileSync(cli.path('f'), 'x');
    const result = await runDoor('upload', ['my-bucket', 'f'], {
      cwd: cli.folder,
      env: { MINI_OBJECT_STORE_ROOT: '' },
    });
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(readdirSync(cli.folder).sort()).toEqual(['f', 'storage_nodes']);
  });

  test('that is named by nothing is refused with 2, and the folder stays as it was', async () => {
    const cli = new Cli();
    writeFileSync(cli.path('f'), 'x');
    const result = await runDoor('upload', ['my-bucket', 'f', '--root', ''], { cwd: cli.folder });
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(readdirSync(cli.folder)).toEqual(['f']);
  });
});
