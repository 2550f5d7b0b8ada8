import { cpSync, rmSync } from 'node:fs';
import * as path from 'node:path';
import { expect } from 'vitest';
import { isStoreError, ObjectStore } from '../../src/index.ts';
import { NOTHING_TO_DO } from '../support/gc.ts';
import type { Care } from './care-script.ts';
import { bringBack, type CareScenario } from './care-scenarios.ts';
import { expectSame, isSame } from './crash-recovery.ts';
import { AFTERWARDS, BUCKET, NEW } from './crash-scenarios.ts';
import { findUntidy, readObject } from './crash-state.ts';

/** What is there of the scenario's objects: each as it was before or, if it may be, as it is afterwards. */
export async function readWhole(
  { objects }: CareScenario,
  root: string,
  isDone: boolean,
): Promise<(Buffer | undefined)[]> {
  const found: (Buffer | undefined)[] = [];
  for (const { key, before, after } of objects) {
    const bytes = await readObject(root, BUCKET, key);
    expect(isSame(bytes, after) || (!isDone && isSame(bytes, before)), `${key} is whole, old or new`).toBe(true);
    found.push(bytes);
  }
  return found;
}

/** Life goes on before anything is mended; then the same command again completes what was begun, and a heal leaves nothing to do. */
export async function completeIt(scenario: CareScenario, root: string): Promise<void> {
  const before = await ObjectStore.open(root);
  await before.put(BUCKET, 'afterwards', AFTERWARDS, { redundancy: '1+1' });
  expectSame(await readObject(root, BUCKET, 'afterwards'), AFTERWARDS);
  // Somebody who knows nothing of what has been begun.
  const store = await ObjectStore.open(root);
  await doAgain(store, scenario);
  bringBack(root);
  await healAll(store);
  for (const { key, after } of scenario.objects) expectSame(await readObject(root, BUCKET, key), after);
  expectSame(await readObject(root, BUCKET, 'afterwards'), AFTERWARDS);
}

async function doAgain(store: ObjectStore, { care, done }: CareScenario): Promise<void> {
  try {
    await callStore(store, care);
  } catch (error) {
    if (!isStoreError(error) || !done.includes(error.code)) throw error;
  }
}

async function callStore(store: ObjectStore, care: Care): Promise<unknown> {
  switch (care.do) {
    case 'put':
      return store.put(care.bucket, care.key, NEW, { redundancy: care.redundancy });
    case 'delete':
      return store.delete(care.bucket, care.key);
    case 'heal':
      return store.heal();
    case 'rebalance':
      return store.rebalance();
    case 'add disk':
      return store.addDisk(care.name, path.join(store.root, care.name));
    case 'replace disk':
      return store.replaceDisk(care.name);
    case 'drain disk': {
      const { failed } = await store.drainDisk(care.name);
      expect(failed).toEqual([]);
      return store.removeDisk(care.name);
    }
    case 'remove disk':
      return store.removeDisk(care.name);
  }
}

/** One heal, and all is whole, nothing is left over, and nothing remains to be done. */
export async function healAll(store: ObjectStore): Promise<void> {
  const { objects, whole, failed, gc } = await store.heal();
  expect({ whole, failed, kept: gc?.kept, gcFailed: gc?.failed }).toEqual({
    whole: objects,
    failed: [],
    kept: [],
    gcFailed: [],
  });
  expect(store.document.disks.filter(({ role }) => role !== undefined)).toEqual([]);
  const verified = await store.verify();
  expect(verified).toMatchObject({ objects, whole: objects, problems: 0 });
  const gone = findUntidy(store.root).filter((what) => !isRemovedDisk(store, what));
  expect(gone, `heal left ${gone.join(', ')}`).toEqual([]);
  expect(await store.gc()).toEqual(NOTHING_TO_DO);
  const again = await store.heal();
  expect(again).toMatchObject({ whole: objects, rebuilt: 0, moved: 0, settled: 0, joined: [], failed: [] });
}

/** The folder of a disk that was taken out of the store stays. */
function isRemovedDisk(store: ObjectStore, what: string): boolean {
  return /^stray: disk\d$/.test(what) && !store.document.disks.some(({ name }) => what === `stray: ${name}`);
}

/** Any one disk is lost, and all is still there. */
export async function loseEach(scenario: CareScenario, root: string, copy: string): Promise<void> {
  const { disks } = (await ObjectStore.open(root)).document;
  for (const { name } of disks) {
    cpSync(root, copy, { recursive: true });
    rmSync(path.join(copy, name), { recursive: true });
    for (const { key, after } of scenario.objects) expectSame(await readObject(copy, BUCKET, key), after);
    rmSync(copy, { recursive: true });
  }
}
