import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { FaultyDisk } from '../../support/faulty-disk.ts';
import { getToFile } from '../../../src/store/objects/get-to-file.ts';
import { contextOf, gate } from '../../support/context.ts';
import { chunkPath, failure, MIB, newStore, tree } from '../../support/store.ts';
import { seededBytes } from '../../support/bytes.ts';
import { tempFolder } from '../../support/temp.ts';

test.each([0, 1, MIB, 3 * MIB + 1])('%i bytes land in a file of that name, and nothing beside it', async (size) => {
  const store = await newStore();
  const bytes = seededBytes(size, 'to file');
  const { meta } = await store.put('bucket', 'key', bytes);
  const folder = tempFolder();
  let counted = 0;
  const got = await store.getToFile('bucket', 'key', path.join(folder, 'out'), {
    onBytes: (count) => (counted += count),
  });
  expect(got).toEqual(meta);
  expect(counted).toBe(size);
  expect(fs.readdirSync(folder)).toEqual(['out']);
  expect(bytes.equals(fs.readFileSync(path.join(folder, 'out')))).toBe(true);
});

test('a range lands in a file that holds the range and no more', async () => {
  const store = await newStore();
  const bytes = seededBytes(3 * MIB, 'range to file');
  await store.put('bucket', 'key', bytes);
  const file = path.join(tempFolder(), 'out');
  const ranges = [
    { range: { from: MIB - 3, to: 2 * MIB + 3 }, expected: bytes.subarray(MIB - 3, 2 * MIB + 4) },
    { range: { from: 5, to: 5 }, expected: bytes.subarray(5, 6) },
    { range: { to: 10 }, expected: bytes.subarray(-10) },
  ];
  for (const { range, expected } of ranges) {
    await store.getToFile('bucket', 'key', file, { range });
    expect(expected.equals(fs.readFileSync(file))).toBe(true);
  }
});

test('folders above the file are made, and a file that is there is replaced', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', Buffer.from('new'));
  const file = path.join(tempFolder(), 'a', 'b', 'out');
  await store.getToFile('bucket', 'key', file);
  fs.writeFileSync(file, 'something longer than the object');
  await store.getToFile('bucket', 'key', file);
  expect(fs.readFileSync(file, 'utf8')).toBe('new');
});

test('a file name as long as a name can be is fine', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', Buffer.from('x'));
  const folder = tempFolder();
  await store.getToFile('bucket', 'key', path.join(folder, 'n'.repeat(255)));
  expect(fs.readdirSync(folder)).toEqual(['n'.repeat(255)]);
});

test('a damaged chunk leaves neither the target, nor a part of it, nor the folders made for it', async () => {
  const store = await newStore();
  const { meta } = await store.put('bucket', 'key', seededBytes(6 * MIB, 'damaged'));
  fs.appendFileSync(chunkPath(store, meta, 4), 'x');
  const folder = tempFolder();
  for (const file of ['out', 'a/b/out']) {
    const error = await failure(store.getToFile('bucket', 'key', path.join(folder, file)));
    expect(error).toMatchObject({ code: 'CHUNK_DAMAGED', chunk: 4 });
  }
  expect(tree(folder)).toEqual([]);
});

test('a failure keeps the target that was there, byte for byte', async () => {
  const store = await newStore();
  const { meta } = await store.put('bucket', 'key', seededBytes(6 * MIB, 'kept'));
  fs.rmSync(chunkPath(store, meta, 5));
  const folder = tempFolder();
  fs.writeFileSync(path.join(folder, 'out'), 'precious');
  const before = tree(folder);
  expect((await failure(store.getToFile('bucket', 'key', path.join(folder, 'out')))).code).toBe('CHUNK_UNAVAILABLE');
  expect((await failure(store.getToFile('bucket', 'none', path.join(folder, 'out')))).code).toBe('NO_SUCH_KEY');
  const range = { from: 6 * MIB };
  expect((await failure(store.getToFile('bucket', 'key', path.join(folder, 'out'), { range }))).code).toBe('BAD_RANGE');
  expect(tree(folder)).toEqual(before);
});

test('a target that cannot be written is TARGET_IO and leaves nothing', async () => {
  const store = await newStore();
  await store.put('bucket', 'key', seededBytes(2 * MIB, 'target'));
  const folder = tempFolder();
  fs.mkdirSync(path.join(folder, 'taken', 'full'), { recursive: true });
  fs.writeFileSync(path.join(folder, 'file'), '');
  const before = tree(folder);
  for (const file of ['taken', 'file/below', 'n'.repeat(256)]) {
    const error = await failure(store.getToFile('bucket', 'key', path.join(folder, file)));
    expect(error).toMatchObject({ code: 'TARGET_IO', path: path.join(folder, file) });
  }
  expect(tree(folder)).toEqual(before);
});

test('getToFile does not fail before its last chunk is at rest: what goes on behind it would write into a descriptor that is another file by then', async () => {
  const store = await newStore();
  const { meta } = await store.put('bucket', 'key', seededBytes(2 * MIB, 'behind'));
  fs.rmSync(chunkPath(store, meta, 0));
  const going = gate();
  const context = await contextOf(store, (disk) => {
    const faults = [
      { operation: 'read', path: /000001\.chunk$/, effect: { kind: 'hang', until: going.opened } },
    ] as const;
    return disk.name === meta.chunks[1]?.disk ? new FaultyDisk(disk, faults) : disk;
  });
  const folder = tempFolder();
  const state = { failed: false };
  const failing = failure(getToFile(context, 'bucket', 'key', path.join(folder, 'out'), {})).finally(
    () => (state.failed = true),
  );
  // Time enough for it to fail, if it does not wait.
  for (let times = 0; times < 3; times++) await store.put('bucket', 'other', seededBytes(4 * MIB, 'other'));
  const failedEarly = state.failed;
  going.open();
  expect((await failing).code).toBe('CHUNK_UNAVAILABLE');
  expect(failedEarly).toBe(false);
  expect(fs.readdirSync(folder)).toEqual([]);
});
