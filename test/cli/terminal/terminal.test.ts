import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { compiledDoor } from '../../support/build.ts';
import { seededBytes } from '../../support/bytes.ts';
import { Cli } from '../../support/cli.ts';
import { start, untilWhile } from '../../support/processes.ts';

const MIB = 1024 * 1024;
const HIDE = '\u001b[?25l';
const SHOW = '\u001b[?25h';

/** Anything that moves a cursor, clears or colours; line ends are fine. */
const CONTROL = /[^\P{Cc}\n]/u;

describe('on a terminal', () => {
  test('an upload draws a bar on stderr, takes it away again, and restores the cursor', async () => {
    const cli = new Cli({ terminal: true });
    writeFileSync(cli.path('f.bin'), seededBytes(5 * MIB, 1));
    const { code, stdout, stderr } = await cli.upload('my-bucket', cli.path('f.bin'));
    expect(code).toBe(0);
    expect(stderr).toMatch(/f\.bin .*\d+% .*5\.0 MiB/);
    expect(stderr.indexOf(HIDE)).toBeGreaterThanOrEqual(0);
    expect(stderr.lastIndexOf(SHOW)).toBeGreaterThan(stderr.lastIndexOf(HIDE));
    expect(stdout).toMatch(/^my-bucket\/f\.bin {2}5 chunks /);
  });

  test('a download does so too', async () => {
    const cli = new Cli({ stdin: seededBytes(5 * MIB, 1) });
    await cli.upload('my-bucket', '-', '--key', 'f.bin');
    const { code, stderr } = await cli.with({ terminal: true }).download('my-bucket/f.bin', '-o', cli.path('out'));
    expect(code).toBe(0);
    expect(stderr).toMatch(/f\.bin .*\d+% .*5\.0 MiB/);
    expect(stderr.lastIndexOf(SHOW)).toBeGreaterThan(stderr.lastIndexOf(HIDE));
  });

  test('a command that fails restores the cursor before it says why', async () => {
    const cli = new Cli({ stdin: seededBytes(2 * MIB, 1) });
    await cli.upload('my-bucket', '-', '--key', 'k');
    for (const disk of ['disk1', 'disk2', 'disk3']) {
      for (const name of readdirSync(path.join(cli.root, disk, 'chunks'), { recursive: true, encoding: 'utf8' })) {
        if (name.endsWith('.chunk')) writeFileSync(path.join(cli.root, disk, 'chunks', name), 'damage');
      }
    }
    const { code, stderr } = await cli.with({ terminal: true }).download('my-bucket/k', '-o', cli.path('out'));
    expect(code).toBe(4);
    expect(stderr).toContain(HIDE);
    expect(stderr.indexOf('is damaged')).toBeGreaterThan(stderr.lastIndexOf(SHOW));
  });

  test('--quiet draws nothing', async () => {
    const cli = new Cli({ terminal: true, stdin: 'x' });
    expect(await cli.upload('my-bucket', '-', '--key', 'k', '--quiet')).toMatchObject({
      code: 0,
      stdout: '',
      stderr: '',
    });
  });

  test('the errors of one file and the results of others do not land in the bar', async () => {
    const cli = new Cli({ terminal: true });
    for (const name of ['a', 'b']) writeFileSync(cli.path(name), name);
    const { code, stderr } = await cli.upload('my-bucket', cli.path('a'), '/dev/null', cli.path('b'));
    expect(code).toBe(1);
    expect(stderr.indexOf('not a regular file')).toBeGreaterThan(stderr.lastIndexOf(SHOW));
  });

  test.each([
    ['control characters', 'a\u001b]0;owned\u0007b', (stderr: string) => !stderr.includes('owned\u0007')],
    ['the words of the bar', '{bar}{eta}', (stderr: string) => stderr.includes('{bar}{eta}')],
  ])('a key with %s is only shown', async (_, key, isHarmless) => {
    const cli = new Cli({ terminal: true, stdin: 'x' });
    const up = await cli.upload('my-bucket', '-', '--key', key);
    const down = await cli.download(`my-bucket/${key}`, '-o', cli.path('out'));
    expect([up.code, down.code]).toEqual([0, 0]);
    expect({ upload: isHarmless(up.stderr), download: isHarmless(down.stderr) }).toEqual({
      upload: true,
      download: true,
    });
  });

  const noScript = spawnSync('script', ['--version']).status !== 0;
  if (noScript) console.warn('SKIPPED, nothing is proved about Ctrl-C on a real terminal: there is no script(1)');

  test.skipIf(noScript)('Ctrl-C ends an upload with 130, restores the cursor, and leaves nothing', async () => {
    const cli = new Cli();
    await cli.store('bucket', 'create', 'my-bucket');
    writeFileSync(cli.path('big'), '');
    truncateSync(cli.path('big'), 4096 * MIB);
    const command = [process.execPath, compiledDoor('upload'), 'my-bucket', cli.path('big'), '--root', cli.root];
    const running = start('script', ['-qefc', `exec ${command.map((word) => `'${word}'`).join(' ')}`, '/dev/null']);
    const chunks = (): string[] =>
      ['disk1', 'disk2', 'disk3'].flatMap((disk) =>
        readdirSync(path.join(cli.root, disk, 'chunks'), { recursive: true, encoding: 'utf8' }),
      );
    await untilWhile(
      running,
      'the first chunk is there',
      () => chunks().some((name) => name.endsWith('.chunk')) && running.output().includes(HIDE),
    );
    running.stdin.write('\u0003');
    const { code, stdout } = await running.ended;
    expect(code).toBe(130);
    expect(stdout.lastIndexOf(SHOW)).toBeGreaterThan(stdout.lastIndexOf(HIDE));
    expect(chunks().filter((name) => name.endsWith('.chunk'))).toEqual([]);
    expect(existsSync(path.join(cli.root, 'disk1/buckets/my-bucket/big.meta.json'))).toBe(false);
  });
});

describe('where stderr is no terminal', () => {
  test('there is no control character on it, whether all goes well or not', async () => {
    const cli = new Cli({ stdin: seededBytes(3 * MIB, 1) });
    const results = [
      await cli.upload('my-bucket', '-', '--key', 'k'),
      await cli.download('my-bucket/k', '-o', cli.path('out')),
      await cli.download('-r', 'my-bucket', '-o', cli.path('all')),
      await cli.upload('my-bucket', cli.path('out'), cli.path('none')),
      await cli.download('my-bucket/none'),
      await cli.upload(),
    ];
    for (const { stderr } of results) expect(stderr).not.toMatch(CONTROL);
    expect(results.map(({ code }) => code)).toEqual([0, 0, 0, 1, 3, 2]);
  });

  test.each([
    ['a file', (cli: Cli, name: string) => cli.upload('my-bucket', cli.path(name))],
    ['a key', (cli: Cli, name: string) => cli.download(`my-bucket/${name}`, '-o', '-')],
    ['a key that is no file name', (cli: Cli, name: string) => cli.download(`my-bucket//${name}`)],
    ['a bucket', (cli: Cli, name: string) => cli.store('ls', name)],
    ['an option', (cli: Cli, name: string) => cli.store('ls', `--${name}`)],
    ['a store', (cli: Cli, name: string) => cli.store('ls', '--root', cli.path(name))],
  ])('the name of %s in an error can do nothing to the terminal that shows it later', async (_, run) => {
    const cli = new Cli();
    await cli.store('bucket', 'create', 'my-bucket');
    const { code, stderr } = await run(cli, 'evil\u001b[2J\u009b31m\r');
    expect(code).toBeOneOf([2, 3]);
    expect(stderr).toContain('evil');
    expect(stderr).not.toMatch(CONTROL);
  });
});
