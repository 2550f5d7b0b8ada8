import { expect, test } from 'vitest';
import { compiledDoor } from '../../support/build.ts';
import { writeManyObjects } from '../../support/many-objects.ts';
import { start } from '../../support/processes.ts';
import { newStore } from '../../support/store.ts';

test('a folder of 30,000 keys on three disks is walked in a heap of 24 MiB: memory holds what one disk lists, and a few hundred bytes a key', async () => {
  const store = await newStore(3);
  writeManyObjects(store, 30_000);
  const args = ['--max-old-space-size=24', compiledDoor('store'), '--root', store.root, 'ls', 'bucket/photos/'];
  const { code, stdout, stderr } = await start(process.execPath, args).ended;
  expect(stderr).toBe('');
  expect(stdout.trim()).toBe('photos/2026/');
  expect(code).toBe(0);
}, 180_000);
