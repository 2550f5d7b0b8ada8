import { mkdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { compiledDoor } from '../support/build.ts';
import { Cli } from '../support/cli.ts';
import { mountProblem, runWithMounts, type Ended } from '../support/processes.ts';

const problem = mountProblem();
if (problem !== undefined) console.warn(`SKIPPED, nothing is proved about read-only and full file systems: ${problem}`);

/** Runs a script that knows the commands as `upload`, `download` and `store`, the test's folder as `$DIR`, and the store as `$ROOT`. */
function runScript(cli: Cli, script: string): Promise<Ended> {
  const [upload, download, store] = [compiledDoor('upload'), compiledDoor('download'), compiledDoor('store')];
  const prelude = `
    NODE=$1 DIR=$2 ROOT=$3
    upload() { "$NODE" '${upload}' "$@" --root "$ROOT"; }
    download() { "$NODE" '${download}' "$@" --root "$ROOT"; }
    store() { "$NODE" '${store}' "$@" --root "$ROOT"; }
  `;
  return runWithMounts(`${prelude}\n${script}`, [process.execPath, cli.folder, cli.root]);
}

describe.skipIf(problem !== undefined)('on a file system that is read-only', () => {
  const READ_ONLY = 'mount --bind "$ROOT" "$ROOT" && mount -o remount,ro,bind "$ROOT" || exit 99\n';

  async function ready(): Promise<Cli> {
    const cli = new Cli({ stdin: 'content' });
    expect(await cli.upload('my-bucket', '-', '--key', 'k')).toMatchObject({ code: 0 });
    return cli;
  }

  test('an upload ends with 5 and says why', async () => {
    const { code, stdout, stderr } = await runScript(
      await ready(),
      `${READ_ONLY} echo x | upload my-bucket - --key new`,
    );
    expect({ code, stdout }).toEqual({ code: 5, stdout: '' });
    expect(stderr).toMatch(/^error: the store cannot be written to: EROFS: read-only file system.*\n$/);
  });

  test.each(['store rm my-bucket/k', 'store gc', 'store bucket create new-bucket'])(
    '%s ends with 5',
    async (command) => {
      const { code, stdout, stderr } = await runScript(await ready(), READ_ONLY + command);
      expect({ code, stdout }).toEqual({ code: 5, stdout: '' });
      expect(stderr).toMatch(/^error: .*EROFS.*\n$/);
    },
  );

  test('objects can be read and listed', async () => {
    const cli = await ready();
    const { code, stdout, stderr } = await runScript(
      cli,
      `${READ_ONLY} download my-bucket/k -o - && store ls -r my-bucket && store stat my-bucket/k`,
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^content.* {2}k\nobject {6}my-bucket\/k\n/);
  });

  test('a first upload ends with 5 and says that no store can be made', async () => {
    const cli = new Cli();
    mkdirSync(cli.root);
    const { code, stdout, stderr } = await runScript(cli, `${READ_ONLY} echo x | upload my-bucket - --key new`);
    expect({ code, stdout }).toEqual({ code: 5, stdout: '' });
    expect(stderr).toMatch(/^error: .*EROFS.*\n$/);
  });

  test('a download to it fails with 1', async () => {
    const cli = await ready();
    mkdirSync(cli.path('target'));
    const script =
      'mount --bind "$DIR/target" "$DIR/target" && mount -o remount,ro,bind "$DIR/target" || exit 99; download my-bucket/k -o "$DIR/target/new/k"';
    const { code, stdout, stderr } = await runScript(cli, script);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^error: cannot write ".*target\/new\/k": EROFS.*\n$/);
  });
});

describe.skipIf(problem !== undefined)('on a file system that is full', () => {
  test('an upload ends with 5, leaves nothing, and the store goes on working', async () => {
    const cli = new Cli();
    mkdirSync(cli.root);
    const script = `
      mount -t tmpfs -o size=6m none "$ROOT" || exit 99
      head -c 3000000 /dev/zero | upload my-bucket - --key old --quiet || exit 98
      # Fan-out folders stay.
      list() { find "$ROOT" ! -path '*/chunks/??' | sort; }
      before=$(list)
      head -c 9000000 /dev/zero | upload my-bucket - --key new; echo "upload: $?"
      test "$before" = "$(list)" && echo "nothing left"
      download my-bucket/old -o - | wc -c
      store gc --json
      store rm my-bucket/old; echo "rm: $?"
      head -c 4000000 /dev/zero | upload my-bucket - --key new --quiet; echo "upload: $?"
    `;
    const { code, stdout, stderr } = await runScript(cli, script);
    expect(code).toBe(0);
    // Whichever comes first: a disk that says so, or a look at the room that is left.
    expect(stderr).toMatch(
      /^error: (disk "disk\d" is full: cannot write chunks\/.*ENOSPC.*|too few disks have room for chunks: .*)\n {2}make room: .*\n$/,
    );
    const lines = stdout.trim().split('\n');
    expect(lines).toEqual([
      'upload: 5',
      'nothing left',
      '3000000',
      expect.stringContaining('"leftoverChunks":0'),
      'deleted my-bucket/old',
      'rm: 0',
      'upload: 0',
    ]);
  });

  test('a download to it fails with 1 and leaves nothing', async () => {
    const cli = new Cli({ stdin: Buffer.alloc(3_000_000) });
    await cli.upload('my-bucket', '-', '--key', 'k');
    mkdirSync(cli.path('target'));
    const script = `
      mount -t tmpfs -o size=1m none "$DIR/target" || exit 99
      download my-bucket/k -o "$DIR/target/new/k"; echo "exit code $?" > "$DIR/answer"; find "$DIR/target" >> "$DIR/answer"
    `;
    const { stdout, stderr } = await runScript(cli, script);
    expect(stdout).toBe('');
    expect(readFileSync(cli.path('answer'), 'utf8')).toBe(`exit code 1\n${cli.path('target')}\n`);
    expect(stderr).toMatch(/^error: cannot write ".*target\/new\/k": ENOSPC.*\n$/);
  });
});
