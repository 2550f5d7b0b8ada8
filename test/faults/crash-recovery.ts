import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { expect } from 'vitest';
import { ObjectStore } from '../../src/index.ts';
import { AFTERWARDS, BUCKET } from './crash-scenarios.ts';
import { findDanglingMetas, findUntidy, readObject } from './crash-state.ts';
import { NOTHING_TO_DO } from '../support/gc.ts';

/** Uploads and downloads a key on a store as a fault left it, and then reclaims what else that left. */
export async function goOn(root: string, key: string, folder: string): Promise<void> {
  const store = await ObjectStore.open(root, { create: true });
  await store.ensureBucket(BUCKET);
  await store.put(BUCKET, key, AFTERWARDS);
  const target = path.join(folder, 'downloaded');
  await store.getToFile(BUCKET, key, target);
  expectSame(readFileSync(target), AFTERWARDS);
  await reclaimAll(store);
  expectSame(await readObject(root, BUCKET, key), AFTERWARDS);
}

/** After one gc nothing is left that does not belong to an object, and a second one finds nothing to do. */
export async function reclaimAll(store: ObjectStore): Promise<void> {
  await store.gc();
  const untidy = findUntidy(store.root);
  expect(untidy, `gc left ${untidy.join(', ')}`).toEqual([]);
  expect(findDanglingMetas(store.root)).toEqual([]);
  expect(await store.gc(), 'a second gc').toEqual(NOTHING_TO_DO);
}

export function isSame(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b);
}

export function expectSame(found: Buffer | undefined, expected: Buffer | undefined): void {
  expect(isSame(found, expected), `${found?.length} bytes found, ${expected?.length} expected`).toBe(true);
}
