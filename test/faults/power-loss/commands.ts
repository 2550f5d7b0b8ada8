import type { Door } from '../../support/build.ts';
import { seededBytes } from '../../support/bytes.ts';
import { BUCKET } from '../crash-scenarios.ts';
import type { Effect } from './world.ts';

const MIB = 1024 * 1024;

/** What is uploaded, by the names of the files. */
export const INPUTS = {
  small: seededBytes(3000, 'small'),
  other: seededBytes(4000, 'other'),
  /** Three chunks, the last one short. */
  large: seededBytes(2 * MIB + 5, 'large'),
};

/** Small files in a folder, by the keys that they get: so many that each disk works on them together. */
export const MANY: Record<string, Buffer> = Object.fromEntries(
  Array.from({ length: 30 }, (_, index) => [`many/${index % 3}/${index}`, seededBytes(index * 40, `many ${index}`)]),
);

/** Where a command finds things. */
export interface Where {
  /** The store's folder. */
  store: string;
  /** Path of a file to upload. */
  input: (name: keyof typeof INPUTS | 'many') => string;
}

/** A command and what it does to the store. */
export interface Command {
  door: Door;
  /** Without `--root`. */
  args: (where: Where) => string[];
  effect: Effect;
  /** From when on it counts: `print`, when its result is on standard output (the default); `exit`, when it has ended with 0. */
  counts?: 'print' | 'exit';
  /** Where each object counts by itself, from when on it is named: the keys that a text on standard output names. */
  told?: (text: string) => string[];
  /** Exit codes beside 0 that are right too. */
  codes?: readonly number[];
  /** Those of them that say that what was asked for is so already. */
  done?: readonly number[];
}

export const TWO = ['disk1', 'disk2'];
export const THREE = [...TWO, 'disk3'];
export const FOUR = [...THREE, 'disk4'];

/** What a care command may say after another one has begun the same and died. */
const REFUSED = [1, 2, 3];

export function upload(
  key: string,
  name: keyof typeof INPUTS = 'small',
  options: string[] = [],
  effect: Effect = {},
): Command {
  return {
    door: 'upload',
    args: ({ input }) => [BUCKET, input(name), '--key', key, '--json', '--quiet', ...options],
    effect: { objects: { [key]: INPUTS[name] }, buckets: { [BUCKET]: true }, ...effect },
  };
}

/** The upload that makes the store. */
export const firstUpload = (key: string, name: keyof typeof INPUTS = 'small'): Command =>
  upload(key, name, [], { disks: THREE });

/** The upload of all small files, each of which counts when its line is printed. */
export const uploadMany: Command = {
  door: 'upload',
  args: ({ input }) => [BUCKET, '-r', input('many'), '--prefix', 'many/', '--json', '--quiet'],
  effect: { objects: MANY, buckets: { [BUCKET]: true } },
  told: keysTold,
};

/** Their deletion. */
export const removeMany: Command = { ...removeAll('many/', ...Object.keys(MANY)), told: keysTold };

function keysTold(text: string): string[] {
  return text.split('\n').flatMap((line) => (line === '' ? [] : [(JSON.parse(line) as { key: string }).key]));
}

/** "There is no such object" is an answer that has to stay true: whoever asked for it to be deleted relies on it. */
export function remove(key: string): Command {
  return { ...plain({ objects: { [key]: undefined } }, 'rm', `${BUCKET}/${key}`, '--json'), codes: [3], done: [3] };
}

export function removeAll(prefix: string, ...keys: string[]): Command {
  return {
    ...plain(
      { objects: Object.fromEntries(keys.map((key) => [key, undefined])) },
      'rm',
      '-r',
      `${BUCKET}/${prefix}`,
      '--json',
    ),
    counts: 'exit',
  };
}

export const bucketCreate: Command = {
  ...plain({ buckets: { [BUCKET]: true } }, 'bucket', 'create', BUCKET),
  codes: REFUSED,
};
export const bucketRemove: Command = {
  ...plain({ buckets: { [BUCKET]: false } }, 'bucket', 'rm', BUCKET),
  codes: [3],
  done: [3],
};
export const init: Command = { ...plain({ disks: THREE }, 'init', '--json'), codes: REFUSED };
export const gc: Command = { ...plain({}, 'gc', '--json'), codes: [1] };
/** It ends with 4 where something can't be mended yet, because a disk is lost. */
export const heal: Command = { ...plain({}, 'heal', '--json'), codes: [1, 4] };
export const rebalance: Command = { ...plain({}, 'rebalance'), codes: [1] };

export function diskAdd(name: string): Command {
  return {
    door: 'store',
    args: ({ store }) => ['disk', 'add', name, `${store}/${name}`],
    effect: { disks: [...THREE, name] },
    codes: REFUSED,
  };
}

/** @param options `--no-heal`, or nothing */
export function diskReplace(name: string, ...options: string[]): Command {
  return { ...plain({ replaces: name }, 'disk', 'replace', name, ...options), codes: REFUSED };
}

export const diskDrain = (name: string): Command => plain({}, 'disk', 'drain', name);

export function diskRemove(name: string): Command {
  return { ...plain({ disks: FOUR.filter((other) => other !== name) }, 'disk', 'remove', name), codes: REFUSED };
}

function plain(effect: Effect, ...args: string[]): Command {
  return { door: 'store', args: () => args, effect };
}
