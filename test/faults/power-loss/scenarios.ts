import { rmSync } from 'node:fs';
import * as path from 'node:path';
import { ObjectStore } from '../../../src/index.ts';
import { seededBytes } from '../../support/bytes.ts';
import type { Door } from '../../support/build.ts';
import type { Care } from '../care-script.ts';
import { CARE } from '../care-scenarios.ts';
import { BUCKET, SCENARIOS } from '../crash-scenarios.ts';
import type { Mending } from './judge.ts';
import type { Effect } from './world.ts';

const MIB = 1024 * 1024;

/** What is uploaded, by the names of the files. */
export const INPUTS = {
  small: seededBytes(3000, 'small'),
  other: seededBytes(4000, 'other'),
  /** Three chunks, the last one short. */
  large: seededBytes(2 * MIB + 5, 'large'),
};

/** A command and what it does to the store. */
export interface Command {
  door: Door;
  /** Without the store's folder. @param input path of a file of `INPUTS` */
  args: (input: (name: keyof typeof INPUTS) => string) => string[];
  effect: Effect;
  /** From when on it counts: `print`, when its result is on standard output (the default); `exit`, when it has ended with 0. */
  counts?: 'print' | 'exit';
  /** Exit codes beside 0 that are right too; the ones in `done` say that what was asked for is so already. */
  codes?: readonly number[];
  done?: readonly number[];
}

/** A store, and commands on it, one after the other. */
export interface Scenario {
  name: string;
  /** Makes the store, in a folder that is not there yet. */
  prepare: (root: string) => Promise<unknown>;
  /** What is in it. */
  start: Effect;
  /** Disks of it that are away, or lost. */
  lost?: readonly string[];
  /** All but the last are killed, if not `whole`. */
  commands: readonly Command[];
  whole?: true;
  mending?: Mending;
  /** Chunks of it are damaged or missing. */
  hurt?: boolean;
  /** Each moment of the first command at which a name changes is one to be killed at, also in a brief run. */
  thorough?: true;
}

const THREE = ['disk1', 'disk2', 'disk3'];
const FOUR = [...THREE, 'disk4'];
const OLD = seededBytes(3500, 'old');
const KEPT = seededBytes(1200, 'kept');

const there = (objects: Record<string, Buffer>, disks = THREE): Effect => ({ objects, buckets: { [BUCKET]: true }, disks });

/** A store with these objects. */
function having(objects: Record<string, Buffer>, { disks = 3, redundancy = '1+0' } = {}): Pick<Scenario, 'prepare' | 'start'> {
  return {
    prepare: async (root) => {
      const store = await ObjectStore.init(root, { disks, redundancy });
      await store.createBucket(BUCKET);
      for (const [key, bytes] of Object.entries(objects)) await store.put(BUCKET, key, bytes);
    },
    start: there(objects, FOUR.slice(0, disks)),
  };
}

const nothing: Pick<Scenario, 'prepare' | 'start'> = { prepare: () => Promise.resolve(), start: {} };

const noBucket: Pick<Scenario, 'prepare' | 'start'> = {
  prepare: (root) => ObjectStore.init(root),
  start: { disks: THREE, buckets: { [BUCKET]: false } },
};

const emptyBucket: Pick<Scenario, 'prepare' | 'start'> = {
  prepare: async (root) => (await ObjectStore.init(root)).createBucket(BUCKET),
  start: { disks: THREE, buckets: { [BUCKET]: true } },
};

function upload(key: string, name: keyof typeof INPUTS = 'small', options: string[] = [], effect: Effect = {}): Command {
  return {
    door: 'upload',
    args: (input) => [BUCKET, input(name), '--key', key, '--json', '--quiet', ...options],
    effect: { objects: { [key]: INPUTS[name] }, buckets: { [BUCKET]: true }, ...effect },
  };
}

const firstUpload = upload('demo', 'small', [], { disks: THREE });
const remove = (key: string): Command => ({ door: 'store', args: () => ['rm', `${BUCKET}/${key}`, '--json'], effect: { objects: { [key]: undefined } }, codes: [3], done: [3] });
const removeAll = (prefix: string, ...keys: string[]): Command => ({
  door: 'store',
  args: () => ['rm', '-r', `${BUCKET}/${prefix}`, '--json'],
  effect: { objects: Object.fromEntries(keys.map((key) => [key, undefined])) },
  counts: 'exit',
});
const bucketCreate: Command = { door: 'store', args: () => ['bucket', 'create', BUCKET], effect: { buckets: { [BUCKET]: true } }, codes: [1, 2] };
const bucketRemove: Command = { door: 'store', args: () => ['bucket', 'rm', BUCKET], effect: { buckets: { [BUCKET]: false } }, codes: [3], done: [3] };
const init: Command = { door: 'store', args: () => ['init', '--json'], effect: { disks: THREE }, codes: [1, 2] };
const plain = (...args: string[]): Command => ({ door: 'store', args: () => args, effect: {}, counts: 'exit', codes: [1, 4] });
const gc = plain('gc', '--json');
const heal = plain('heal', '--json');

const object = { demo: OLD, kept: KEPT };
const nested = { 'a/b/demo': OLD, kept: KEPT };

/** The commands of the tests of crashes that keep a store well, and the stores that they find. */
function careOf(care: Care): Command {
  switch (care.do) {
    case 'heal':
      return heal;
    case 'rebalance':
      return plain('rebalance');
    case 'add disk':
      return { door: 'store', args: () => ['disk', 'add', care.name, `{store}/${care.name}`], effect: { disks: [...THREE, care.name] }, codes: [1, 2] };
    case 'replace disk':
      return { door: 'store', args: () => ['disk', 'replace', care.name, '--no-heal'], effect: { replaces: care.name }, codes: [1, 2] };
    case 'drain disk':
      return plain('disk', 'drain', care.name);
    case 'remove disk':
      return { door: 'store', args: () => ['disk', 'remove', care.name], effect: { disks: FOUR.filter((name) => name !== care.name) }, codes: [1, 2, 3] };
    case 'delete':
      return remove(care.key);
    case 'put':
      return upload(care.key, 'large', ['--redundancy', care.redundancy]);
  }
}

function careCase(name: string, then: readonly Command[] = [], more: Partial<Scenario> = {}): Scenario {
  const found = CARE.find((scenario) => scenario.name === name);
  if (found === undefined) throw new Error(`there is no scenario ${name}`);
  const { care, objects } = found;
  const disks = care.do === 'drain disk' || care.do === 'remove disk' || (care.do === 'put' && care.redundancy === '2+1') ? FOUR : THREE;
  return {
    name: [name, ...(then.length === 0 ? [] : ['killed'])].join(', '),
    prepare: found.prepare,
    start: { disks, buckets: { [BUCKET]: true }, objects: Object.fromEntries(objects.map(({ key, before }) => [key, before])) },
    commands: [careOf(care), ...then],
    mending: 'heal',
    hurt: care.do === 'heal' || care.do === 'replace disk' || care.do === 'delete',
    ...more,
  };
}

const killed = (name: string, store: Pick<Scenario, 'prepare' | 'start'>, commands: readonly Command[], more: Partial<Scenario> = {}): Scenario => ({ name, ...store, commands, ...more });

/** A store on which gc has much to do. */
const garbage: Pick<Scenario, 'prepare' | 'start'> = (() => {
  const found = SCENARIOS.find(({ name }) => name === 'a gc');
  if (found === undefined) throw new Error('there is no gc among the scenarios of crashes');
  return { prepare: found.prepare, start: { disks: THREE, buckets: { [BUCKET]: true }, objects: Object.fromEntries(found.objects.map(({ key, before }) => [key, before])) } };
})();

/** One command each, and the power goes while it runs or afterwards. */
export const SINGLE: readonly Scenario[] = [
  { name: 'the first upload of all', ...nothing, commands: [firstUpload] },
  { name: 'the first upload of all, of several chunks', ...nothing, commands: [upload('demo', 'large', [], { disks: THREE })] },
  { name: 'init', ...nothing, commands: [init] },
  { name: 'the upload that makes the bucket', ...noBucket, commands: [upload('demo')] },
  { name: 'an upload', ...having({ kept: KEPT }), commands: [upload('demo')] },
  { name: 'an upload with a nested key', ...having({ kept: KEPT }), commands: [upload('a/b/demo')] },
  { name: 'an upload of several chunks', ...having({ kept: KEPT }), commands: [upload('demo', 'large')] },
  { name: 'an overwrite', ...having(object), commands: [upload('demo')] },
  { name: 'rm', ...having(object), commands: [remove('demo')] },
  { name: 'rm of a nested key', ...having(nested), commands: [remove('a/b/demo')] },
  { name: 'rm -r', ...having(nested), commands: [removeAll('', 'a/b/demo', 'kept')] },
  { name: 'bucket create', ...noBucket, commands: [bucketCreate] },
  { name: 'bucket rm', ...emptyBucket, commands: [bucketRemove] },
  { name: 'gc', ...garbage, commands: [gc] },
  careCase('an upload with 2+1 over an older version'),
  careCase('an upload with 1+1'),
  careCase('a heal of damaged chunks and metas'),
  careCase('a heal of a disk that comes back stale'),
  careCase('a heal after a disk was replaced'),
  careCase('adding a disk'),
  careCase('replacing a disk', [], { lost: ['disk2'] }),
  careCase('draining a disk'),
  careCase('removing a disk'),
  careCase('a rebalance'),
  careCase('a delete while a disk is away', [], { lost: ['disk3'] }),
  careCase('draining a disk', [careOf({ do: 'remove disk', name: 'disk1' })], { name: 'draining a disk, and removing it', whole: true }),
];

/** The first command is killed, the next one runs to its end and rests on what the first has left; then the power goes. */
export const SEQUENCES: readonly Scenario[] = [
  killed('rm killed, rm', having(object), [remove('demo'), remove('demo')], { thorough: true }),
  killed('rm killed, rm -r', having(object), [remove('demo'), removeAll('demo', 'demo')], { thorough: true }),
  killed('rm killed, gc', having(object), [remove('demo'), gc], { thorough: true }),
  killed('rm of a nested key killed, rm', having(nested), [remove('a/b/demo'), remove('a/b/demo')]),
  killed('rm of a nested key killed, gc', having(nested), [remove('a/b/demo'), gc]),
  killed('rm killed, upload of the key', having(object), [remove('demo'), upload('demo')]),
  killed('rm killed, heal', having(object), [remove('demo'), heal]),
  killed('rm -r killed, rm -r', having(nested), [removeAll('', 'a/b/demo', 'kept'), removeAll('', 'a/b/demo', 'kept')]),
  killed('upload killed, gc', having({ kept: KEPT }), [upload('demo'), gc]),
  killed('upload killed, upload of the key', having({ kept: KEPT }), [upload('demo', 'large'), upload('demo')]),
  killed('upload killed, upload of another key', having({ kept: KEPT }), [upload('demo'), upload('another', 'other')]),
  killed('upload with a nested key killed, upload beside it', having({ kept: KEPT }), [upload('a/b/demo'), upload('a/b/another', 'other')], { thorough: true }),
  killed('upload killed, rm', having({ kept: KEPT }), [upload('demo'), remove('demo')]),
  killed('overwrite killed, gc', having(object), [upload('demo'), gc]),
  killed('overwrite killed, rm', having(object), [upload('demo'), remove('demo')]),
  killed('overwrite killed, overwrite', having(object), [upload('demo', 'large'), upload('demo')]),
  killed('overwrite killed, heal', having(object), [upload('demo'), heal]),
  killed('first upload killed, upload', nothing, [firstUpload, upload('another', 'other', [], { disks: THREE })], { thorough: true }),
  killed('first upload killed, the same upload', nothing, [firstUpload, firstUpload]),
  killed('init killed, upload', nothing, [init, firstUpload]),
  killed('init killed, init', nothing, [init, init]),
  killed('bucket create killed, upload', noBucket, [bucketCreate, upload('demo')], { thorough: true }),
  killed('bucket create killed, bucket create', noBucket, [bucketCreate, bucketCreate]),
  killed('bucket create killed, gc', noBucket, [bucketCreate, gc]),
  killed('bucket rm killed, bucket rm', emptyBucket, [bucketRemove, bucketRemove], { thorough: true }),
  killed('bucket rm killed, upload', emptyBucket, [bucketRemove, upload('demo')]),
  killed('bucket rm killed, gc', emptyBucket, [bucketRemove, gc]),
  killed('gc killed, gc', garbage, [gc, gc]),
  killed('gc killed, upload', garbage, [gc, upload('demo')]),
  careCase('adding a disk', [upload('demo')], { name: 'disk add killed, upload' }),
  careCase('adding a disk', [heal], { name: 'disk add killed, heal' }),
  careCase('adding a disk', [careOf({ do: 'add disk', name: 'disk4' })], { name: 'disk add killed, disk add' }),
  careCase('replacing a disk', [upload('demo')], { name: 'disk replace killed, upload', lost: ['disk2'] }),
  careCase('replacing a disk', [heal], { name: 'disk replace killed, heal', lost: ['disk2'] }),
  careCase('replacing a disk', [careOf({ do: 'replace disk', name: 'disk2' })], { name: 'disk replace killed, disk replace', lost: ['disk2'] }),
  careCase('a heal of damaged chunks and metas', [heal], { name: 'heal killed, heal' }),
  careCase('a heal of damaged chunks and metas', [gc], { name: 'heal killed, gc' }),
  careCase('a heal after a disk was replaced', [heal], { name: 'heal of a replaced disk killed, heal' }),
  careCase('a heal of a disk that comes back stale', [heal], { name: 'heal of a stale disk killed, heal' }),
  careCase('draining a disk', [careOf({ do: 'drain disk', name: 'disk1' })], { name: 'disk drain killed, disk drain' }),
  careCase('draining a disk', [gc], { name: 'disk drain killed, gc' }),
  careCase('removing a disk', [careOf({ do: 'remove disk', name: 'disk1' })], { name: 'disk remove killed, disk remove' }),
  careCase('a rebalance', [careOf({ do: 'rebalance' })], { name: 'rebalance killed, rebalance' }),
  careCase('a rebalance', [gc], { name: 'rebalance killed, gc' }),
];

/** Removes what a scenario has used to make its store. */
export function tidyUp(folder: string): void {
  rmSync(path.join(folder, 'kept'), { recursive: true, force: true });
}
