import { ObjectStore } from '../../../src/index.ts';
import { CARE } from '../care-scenarios.ts';
import { BUCKET, SCENARIOS } from '../crash-scenarios.ts';
import { FOUR, THREE, TWO, type Command } from './commands.ts';
import type { Mending } from './judge.ts';
import type { Effect } from './world.ts';

/** A store that commands find. */
export interface Found {
  /** Makes it, in a folder that is not there yet. */
  prepare: (root: string) => Promise<unknown>;
  /** What is in it. */
  start: Effect;
  /** Disks of it that are away, or lost. */
  lost?: readonly string[];
  /** Chunks of it are damaged or missing. */
  hurt?: boolean;
  /** How it is mended at the end; with one or the other if not given. */
  mending?: Mending;
}

/** A store, and commands on it, one after the other. */
export interface Scenario extends Found {
  name: string;
  /** All but the last are killed, if not `whole`. */
  commands: readonly Command[];
  whole?: boolean;
  /** The first command is killed at many of its calls, also in a brief run. */
  thorough?: boolean;
}

export function scenario(
  name: string,
  store: Found,
  commands: readonly Command[],
  more: Pick<Scenario, 'whole' | 'thorough'> = {},
): Scenario {
  return { name, ...store, commands, ...more };
}

export const NO_STORE: Found = { prepare: () => Promise.resolve(), start: {} };

export const NO_BUCKET: Found = {
  prepare: (root) => ObjectStore.init(root),
  start: { disks: THREE, buckets: { [BUCKET]: false } },
};

/** A store of three disks with these objects in its bucket. */
export function having(objects: Record<string, Buffer>): Found {
  return {
    prepare: async (root) => {
      const store = await ObjectStore.init(root);
      await store.createBucket(BUCKET);
      for (const [key, bytes] of Object.entries(objects)) await store.put(BUCKET, key, bytes);
    },
    start: { objects, buckets: { [BUCKET]: true }, disks: THREE },
  };
}

/** A store on which gc has much to do. */
export const GARBAGE: Found = foundBy(SCENARIOS, 'a gc', THREE);

/** The store of a test of crashes of care, with redundancy. */
export function careStore(
  name: string,
  more: Omit<Found, 'prepare' | 'start'> & { disks?: readonly string[] } = {},
): Found {
  const { disks = THREE, ...rest } = more;
  return { ...foundBy(CARE, name, disks), mending: 'heal', ...rest };
}

export const CARE_STORES = {
  overwrite: careStore('an upload with 2+1 over an older version', { disks: FOUR }),
  mirror: careStore('an upload with 1+1'),
  damaged: careStore('a heal of damaged chunks and metas', { hurt: true }),
  stale: careStore('a heal of a disk that comes back stale', { hurt: true }),
  replaced: careStore('a heal after a disk was replaced', { hurt: true }),
  small: careStore('a heal of many small objects after a disk was replaced', { disks: TWO, hurt: true }),
  lost: careStore('replacing a disk', { hurt: true, lost: ['disk2'] }),
  away: careStore('a delete while a disk is away', { hurt: true, lost: ['disk3'] }),
  three: careStore('adding a disk'),
  four: careStore('draining a disk', { disks: FOUR }),
  drained: careStore('removing a disk', { disks: FOUR }),
  uneven: careStore('a rebalance'),
};

interface Prepared {
  name: string;
  prepare: (root: string) => Promise<void>;
  objects: readonly { key: string; before: Buffer | undefined }[];
}

function foundBy(list: readonly Prepared[], name: string, disks: readonly string[]): Found {
  const found = list.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`there is no scenario ${name}`);
  const objects = Object.fromEntries(found.objects.map(({ key, before }) => [key, before]));
  return { prepare: found.prepare, start: { disks, buckets: { [BUCKET]: true }, objects } };
}
