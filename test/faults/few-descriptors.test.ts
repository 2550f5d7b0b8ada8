import * as path from 'node:path';
import { expect, test } from 'vitest';
import { ObjectStore } from '../../src/index.ts';
import { seededBytes } from '../support/bytes.ts';
import { compiledDoor } from '../support/build.ts';
import { parseLines } from '../support/cli.ts';
import { compiledLibrary, compileScripts, runProgram } from '../support/processes.ts';
import { expectWhole } from '../support/shards.ts';
import { MIB, newStore } from '../support/store.ts';
import { tempFolder } from '../support/temp.ts';

/** Runs Node with at most so many descriptors. */
function limited(descriptors: number, args: readonly string[]): ReturnType<typeof runProgram> {
  return runProgram('bash', [
    '-c',
    'ulimit -n "$1"; shift; exec "$@"',
    'bash',
    String(descriptors),
    process.execPath,
    ...args,
  ]);
}

async function filled(objects: number): Promise<ObjectStore> {
  const store = await newStore(4, { redundancy: '2+1' });
  for (let index = 0; index < objects; index++)
    await store.put('bucket', `key ${index}`, seededBytes(10 + index, index));
  await store.put('bucket', 'large', seededBytes(20 * MIB, 'large'));
  return store;
}

test.each([64, 96])(
  'with %i descriptors every command does its work on 301 objects of 2+1, or says what it lacks, and calls none of them hurt',
  async (descriptors) => {
    const store = await filled(300);
    const out = tempFolder();
    for (const [door, ...args] of [
      ['store', 'verify'],
      ['store', 'ls', '-r', 'bucket'],
      ['store', 'heal'],
      ['store', 'disk', 'ls'],
      ['download', '--quiet', '-r', 'bucket/', '-o', out],
    ] as const) {
      const { code, stdout, stderr } = await limited(descriptors, [compiledDoor(door), '--root', store.root, ...args]);
      expect(stdout).not.toMatch(/[1-9]\d* (degraded|lost)/);
      // Node loads modules side by side, and may not even come to the end of that.
      if (descriptors < 96 && code !== 0) {
        expect([args, code, stderr]).toEqual([args, 1, expect.stringContaining('allow more open files (ulimit -n)')]);
        continue;
      }
      expect([args, code, stderr]).toEqual([args, 0, '']);
      if (args[0] === 'verify' || args[0] === 'heal') expect(stdout).toContain('301 whole, 0 degraded, 0 lost');
      if (args[0] === 'ls') expect(stdout.trim().split('\n')).toHaveLength(301);
    }
  },
);

test.each([0, 1, 3, 8])(
  'with %i descriptors left, whatever is done succeeds or says OUT_OF_RESOURCES, and accuses no disk and no object',
  async (left) => {
    const store = await filled(30);
    const worker = compileScripts(tempFolder(), [path.join(import.meta.dirname, 'few-descriptors-worker.ts')]);
    const { stdout, stderr } = await limited(128, [
      worker,
      compiledLibrary(),
      store.root,
      String(left),
      path.join(tempFolder(), 'large'),
    ]);
    expect(stderr).toBe('');
    const lines = parseLines(stdout);
    expect(lines).toHaveLength(10);
    for (const { name, outcome, wrong } of lines as {
      name: string;
      outcome: { done?: unknown; code?: string; message?: string; disk?: string };
      wrong: string[];
    }[]) {
      expect([name, wrong]).toEqual([name, []]);
      if ('done' in outcome) continue;
      expect([name, outcome]).toMatchObject([
        name,
        {
          code: 'OUT_OF_RESOURCES',
          message: expect.stringContaining('this process may not open more files at once') as string,
        },
      ]);
      expect(outcome).not.toHaveProperty('disk');
    }
    if (left === 0)
      expect(
        lines.filter(({ outcome }) => (outcome as { code?: string }).code === 'OUT_OF_RESOURCES').length,
      ).toBeGreaterThan(7);
    // Whoever was short has left the store whole.
    const again = await ObjectStore.open(store.root);
    await expectWhole(again);
    expect((await again.gc()).failed).toEqual([]);
  },
);

test('a command that can not even be loaded says what to do, with exit code 1', async () => {
  const { code, stderr } = await limited(36, [compiledDoor('store'), '--root', (await newStore(1)).root, 'verify']);
  expect(code).toBe(1);
  expect(stderr).toMatch(/EMFILE[^\n]*\n {2}allow more open files \(ulimit -n\)/);
});
