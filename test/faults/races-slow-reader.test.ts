import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { ObjectStore } from '../../src/index.ts';
import { runDoor, startDoor } from '../support/processes.ts';
import { seededBytes } from '../support/bytes.ts';
import { MIB } from '../support/store.ts';
import { tempFolder } from '../support/temp.ts';
import { findUntidy } from './crash-state.ts';
import { NOTHING_TO_DO } from '../support/gc.ts';
import { uploadIds } from '../../src/metadata/meta.ts';

/** More than a reader and its pipe take before the first byte is taken from them. */
const CHUNKS = 40;

test('a slow reader finishes on its version while other processes overwrite it, delete it and run gc; then gc removes it', async () => {
  const folder = tempFolder();
  const root = path.join(folder, 'store');
  const store = await ObjectStore.init(root, { durability: 'none' });
  await store.createBucket('bucket');
  const bytes = seededBytes(CHUNKS * MIB, 'slow');
  await store.put('bucket', 'k', bytes);
  const [id = ''] = uploadIds(await store.head('bucket', 'k'));
  writeFileSync(path.join(folder, 'k'), 'new');

  const reader = startDoor('download', ['bucket/k', '-o', '-', '--root', root], { stdout: 'leave' });
  const { stdout } = reader;
  if (stdout === undefined) throw new Error('no stdout');
  await once(stdout, 'readable');

  const done = { code: 0, stderr: '' };
  expect(await runDoor('upload', ['bucket', path.join(folder, 'k'), '--root', root])).toMatchObject(done);
  expect((await runDoor('download', ['bucket/k', '-o', '-', '--root', root])).stdout).toBe('new');
  expect(await runDoor('store', ['rm', 'bucket/k', '--root', root])).toMatchObject(done);
  const { stdout: report } = await runDoor('store', ['gc', '--json', '--root', root]);
  expect(JSON.parse(report)).toMatchObject({ inUse: 1, leftoverChunks: 0 });
  expect(findUntidy(root).filter((problem) => problem.includes(id))).toHaveLength(CHUNKS);
  expect(reader.isOver()).toBe(false);

  const hash = createHash('sha256');
  let size = 0;
  stdout.on('data', (piece: Buffer) => {
    size += piece.length;
    hash.update(piece);
  });
  expect(await reader.ended).toMatchObject(done);
  expect({ size, sha256: hash.digest('hex') }).toEqual({
    size: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  });

  expect(await store.gc()).toMatchObject({ inUse: 0, leftoverChunks: CHUNKS });
  expect(findUntidy(root)).toEqual([]);
  expect(await store.gc()).toEqual(NOTHING_TO_DO);
});
