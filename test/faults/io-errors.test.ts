import { existsSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { ObjectStore } from '../../src/index.ts';
import { tempFolder } from '../support/temp.ts';
import { expectSame, isSame, reclaimAll } from './crash-recovery.ts';
import { LIMIT_MS, Rig, type Fault, type Struck } from './crash-run.ts';
import { BUCKET, SCENARIOS, type Scenario } from './crash-scenarios.ts';
import { countCopies, findDanglingMetas, findUntidy, readObject } from './crash-state.ts';
import { NOTHING_TO_DO } from '../support/gc.ts';
import { checkNoSecondSync, NEEDS_ROOM, sample } from './io-faults.ts';
import { pathsOf } from './strace-points.ts';
import { straceProblem, type Call } from './strace.ts';

const problem = straceProblem();
if (problem !== undefined) console.warn(`SKIPPED, nothing is proved about I/O errors: ${problem}`);

/**
 * EIO strikes at every call of every scenario. ENOSPC goes the same ways through the program, but for its exit code; so it
 * strikes in the two scenarios that together write everything there is to write, at the calls that may need room
 * (`NEEDS_ROOM`). Calls that clean up may leave something behind when they fail: they are what undoes.
 */
const CLEANS_UP = new Set(['unlink', 'rmdir']);

/** How a disk looks that could not follow the others. */
const BEHIND = /differ$|^a tombstone$|^empty folder: disk\d\/buckets\/[^/]+\/$/;

/** What an error is about: a disk, or the store as a whole. */
const WHERE = /^error: .*(disk "disk\d"|the store cannot be written to|cannot make a store|no room to make a store)/;

const DISKS = 3;
/** Disks that must have a meta before its upload counts. */
const WRITE_QUORUM = 2;

describe.skipIf(problem !== undefined)('an I/O error at any call that changes the store', () => {
  test.each(SCENARIOS)(
    'once in $name: a clear error and everything as before, or success without that disk',
    async (scenario) => {
      const rig = await Rig.make(scenario, tempFolder());
      const points = await rig.runWhole();
      const full = scenario.fills ? points.filter(({ syscall }) => NEEDS_ROOM.has(syscall)) : [];
      const faults = [
        ...points.map((point) => ({ point, what: 'error=EIO' })),
        ...full.map((point) => ({ point, what: 'error=ENOSPC' })),
      ];
      const ends = await strike(rig, faults);
      console.log(`I/O errors injected: ${points.length} EIO and ${full.length} ENOSPC in ${scenario.name}; ${ends}`);
      expect(points.length).toBeGreaterThanOrEqual(scenario.least);
    },
    LIMIT_MS,
  );

  test.each(SCENARIOS.filter(({ persistently }) => persistently))(
    'and at every later one in $name: a clear error, and the object whole, old or new',
    async (scenario) => {
      const rig = await Rig.make(scenario, tempFolder());
      const points = await rig.runWhole();
      const faults = sample(points).flatMap((point) => [
        { point, what: 'error=EIO', persistent: true },
        ...(NEEDS_ROOM.has(point.syscall) ? [{ point, what: 'error=ENOSPC', persistent: true }] : []),
      ]);
      const ends = await strike(rig, faults);
      console.log(`lasting I/O errors injected: ${faults.length} in ${scenario.name}; ${ends}`);
    },
    LIMIT_MS,
  );
});

async function strike(rig: Rig<Scenario>, faults: readonly Fault[]): Promise<string> {
  const codes = new Map<string, number>();
  await rig.strikeAll(faults, async (struck, fault) => {
    await checkAfterError(rig.scenario, struck, fault.persistent === true);
    const code = `exit code ${struck.ended.code}`;
    codes.set(code, (codes.get(code) ?? 0) + 1);
  });
  return [...codes]
    .map(([code, count]) => `${code}: ${count}`)
    .sort()
    .join(', ');
}

async function checkAfterError(
  scenario: Scenario,
  { root, folder, ended, call }: Struck,
  persistent: boolean,
): Promise<void> {
  const { code, stderr } = ended;
  expect([0, 1, 5], `exit code ${code}: ${stderr}`).toContain(code);
  expect(stderr, 'no stack trace').not.toMatch(/^\s+at |node:internal/m);
  if (code !== 0) {
    expect(stderr.trimEnd().split('\n').length, stderr).toBeLessThanOrEqual(2);
    expect(stderr, 'an error that says where').toMatch(WHERE);
    expect(stderr).not.toContain('this is a bug');
  }
  // gc goes on after a failure, and reports what it did.
  if (scenario.name !== 'a gc')
    expect(ended.stdout === '', 'a result line only after success').toBe(code !== 0 || scenario.silent);
  expect(findDanglingMetas(root)).toEqual([]);
  for (const { key, before, after } of scenario.objects) {
    const bytes = await readObject(root, BUCKET, key);
    if (code === 0) expectSame(bytes, after);
    // A lasting failure strikes the undoing too, so then it may be the new version that stays, though nobody vouches for it.
    else expect(isSame(bytes, before) || (persistent && isSame(bytes, after)), `${key} is as before`).toBe(true);
  }
  if (code === 0) {
    await checkQuorum(scenario, root);
    checkSyncedQuorum(ended.calls, folder);
  }
  if (!persistent) {
    if (!CLEANS_UP.has(call.name)) await checkTidy(scenario, root, code === 0);
    checkNoSecondSync(ended.calls, folder);
  }
  if (existsSync(root)) await reclaimAll(await ObjectStore.open(root));
}

/** What was acknowledged is on a write quorum of disks. */
async function checkQuorum(scenario: Scenario, root: string): Promise<void> {
  const store = await ObjectStore.open(root);
  for (const { key, after } of scenario.objects) {
    const version = after === undefined ? undefined : (await store.head(BUCKET, key)).version;
    expect(countCopies(root, BUCKET, key, version)).toBeGreaterThanOrEqual(WRITE_QUORUM);
  }
}

/** A success rests on disks on which no sync of a document, or of a folder of documents, has failed. */
function checkSyncedQuorum(calls: readonly Call[], folder: string): void {
  const failed = calls.filter((call) => call.name === 'fsync' && call.result?.endsWith('(INJECTED)') === true);
  const disks = failed
    .flatMap((call) => pathsOf(call, folder))
    .map((name) => /(disk\d)\/(buckets|tmp)/.exec(name)?.[1]);
  const lost = new Set(disks.filter((disk) => disk !== undefined));
  expect(DISKS - lost.size, `syncs failed on ${[...lost].join(', ')}`).toBeGreaterThanOrEqual(WRITE_QUORUM);
}

/** Nothing is left behind, except that after a success one disk may be behind the others. */
async function checkTidy(scenario: Scenario, root: string, succeeded: boolean): Promise<void> {
  if (!scenario.undoes) return;
  const untidy = findUntidy(root).filter((what) => !succeeded || !BEHIND.test(what));
  expect(untidy, `left behind: ${untidy.join(', ')}`).toEqual([]);
  if (!existsSync(root)) return;
  expect(existsSync(path.join(root, 'store.json')), 'a store that could not be made is not there').toBe(true);
  const store = await ObjectStore.open(root);
  if (!succeeded) expect(await store.gc({ dryRun: true }), 'gc').toEqual(NOTHING_TO_DO);
}
