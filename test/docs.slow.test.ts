import { execFile, execFileSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { tempFolder } from './support/temp.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');
const SHELL_BLOCKS = [...README.matchAll(/```sh\n(.*?)```/gs)].map((match) => match[1] ?? '');

const hasJq = (() => {
  try {
    execFileSync('jq', ['--version']);
    return true;
  } catch {
    console.warn('SKIPPED: the recipes of the README need jq, which is not installed');
    return false;
  }
})();

/** The block that holds `words`, as it stands in the README. */
function block(words: string): string {
  const found = SHELL_BLOCKS.filter((text) => text.includes(words));
  expect(found, `one block with ${words}`).toHaveLength(1);
  return found[0] ?? '';
}

/** A copy of what a user has after cloning and `npm ci`, without the folder of packages itself. */
function checkout(): string {
  const folder = join(tempFolder(), 'checkout');
  for (const name of ['bin', 'src', 'input_files', 'package.json', 'tsconfig.json', 'tsconfig.build.json']) {
    cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

/** Runs a block as it stands; packages are there already, so `npm ci` is left out. */
async function run(text: string, cwd: string): Promise<string> {
  const env = { ...process.env, MINI_OBJECT_STORE_ROOT: '' };
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', text.replaceAll('npm ci && ', '')], {
    cwd,
    env,
  });
  return stdout;
}

describe('what the README shows', () => {
  const sample = readFileSync(join(ROOT, 'input_files/demo.txt'));

  test('stores the sample and reads it back', async () => {
    const folder = checkout();
    await run(block('demo.txt && npx tsx bin/download.ts'), folder);
    expect(readFileSync(join(folder, 'downloaded_files/demo.txt')).equals(sample)).toBe(true);
  });

  test('builds, and uploads with the build', async () => {
    const folder = checkout();
    expect(await run(block('npm run build'), folder)).toContain('my-bucket/demo.txt');
  });

  test('uses the library', async () => {
    const folder = checkout();
    const snippet = /```ts\n(.*?)```/s.exec(README)?.[1] ?? '';
    writeFileSync(join(folder, 'snippet.mjs'), snippet);
    expect(await run('npm run -s build && node snippet.mjs', folder)).toBe('text/plain hell\nhello.txt 5\n');
  });

  test('takes folders named disk… as the disks', async () => {
    const folder = checkout();
    await run(block('disk{1..5}'), folder);
    for (const disk of [1, 2, 3, 4, 5]) expect(existsSync(join(folder, `my-store/disk${disk}/disk.json`))).toBe(true);
  });

  test('survives a dead disk and a rotten one, and changes disks', async () => {
    const folder = checkout();
    await run(block('--disks 6'), folder);
    const damaged = await run(block('rm -r safe/disk2'), folder);
    expect(
      readFileSync(join(folder, 'downloaded_files/index.ts')).equals(readFileSync(join(ROOT, 'src/index.ts'))),
    ).toBe(true);
    expect(damaged).toMatch(/disk2.*missing|disk2.*offline/s);
    expect(damaged).toMatch(/disk5: .*damaged/);
    expect(damaged).toMatch(/exit code 4\n$/);
    expect(await run(block('disk replace disk2'), folder)).toMatch(/ 0 degraded, 0 lost .*\n.* 0 degraded, 0 lost/s);
    const disks = await run(block('disk drain disk1'), folder);
    expect(disks).toContain('removed disk "disk1"');
    expect(await run('npx tsx bin/store.ts verify --root safe', folder)).toContain(' 0 degraded, 0 lost');
  });

  test.skipIf(!hasJq)('gets an object back by hand, and checks its chunks', async () => {
    const folder = checkout();
    await run(block('demo.txt && npx tsx bin/download.ts'), folder);
    await run(block('| xargs cat > demo.txt'), folder);
    expect(readFileSync(join(folder, 'storage_nodes/demo.txt')).equals(sample)).toBe(true);
    expect(await run(block('sha256sum -c'), join(folder, 'storage_nodes'))).toMatch(/: OK\n$/);
  });

  test.skipIf(!hasJq)('writes the lost mark of a disk again', async () => {
    const folder = checkout();
    await run(block('demo.txt && npx tsx bin/download.ts'), folder);
    const mark = join(folder, 'storage_nodes/disk2/disk.json');
    const before: unknown = JSON.parse(readFileSync(mark, 'utf8'));
    rmSync(mark);
    await run(block('> disk2/disk.json'), join(folder, 'storage_nodes'));
    expect(JSON.parse(readFileSync(mark, 'utf8'))).toEqual(before);
    expect(await run('npx tsx bin/store.ts verify', folder)).toContain(' 0 degraded, 0 lost');
  });

  test.skipIf(!hasJq)('makes a lost store.json anew', async () => {
    const folder = checkout();
    await run(block('demo.txt && npx tsx bin/download.ts'), folder);
    rmSync(join(folder, 'storage_nodes/store.json'));
    rmSync(join(folder, 'downloaded_files'), { recursive: true });
    await run(block('*/disk.json'), join(folder, 'storage_nodes'));
    await run('npx tsx bin/download.ts my-bucket/demo.txt', folder);
    expect(readFileSync(join(folder, 'downloaded_files/demo.txt')).equals(sample)).toBe(true);
  });
});
