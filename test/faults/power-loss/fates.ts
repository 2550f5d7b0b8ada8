import type { Random } from '../../torture/random.ts';
import { isVolatile, type Content, type Fate, type File, type Folder, type NameChange } from './nodes.ts';

/**
 * What may become of what is not durable on a device: nothing of it is there; all of it; all names, but not the bytes that they
 * stand for, or zeros instead of those; of each folder what was done up to some moment; any part of it.
 */
export type Lot = 'lost' | 'kept' | 'names' | 'zeros' | 'cut' | 'mixed';

/** A fate in words, from which with the same random numbers the same follows. */
export interface Plan {
  /** One lot for all devices, or each has its own. */
  lots: Lot | ReadonlyMap<string, Lot>;
  /** For those that `lots` does not name. */
  otherwise: Lot;
}

/** The plans that are tried at the end of each command: all alike, and each device by itself. */
export function fixedPlans(devices: readonly string[]): Plan[] {
  const alike: Plan[] = (['lost', 'names', 'zeros', 'kept'] as const).map((lot) => ({ lots: lot, otherwise: lot }));
  if (devices.length < 2) return alike;
  return [
    ...alike,
    ...devices.map((device): Plan => ({ lots: new Map([[device, 'lost']]), otherwise: 'kept' })),
    ...devices.map((device): Plan => ({ lots: new Map([[device, 'kept']]), otherwise: 'lost' })),
  ];
}

/** Any plan: half of them one of those above. */
export function anyPlan(devices: readonly string[], random: Random): Plan {
  if (random.chance(0.4)) return random.pick(fixedPlans(devices));
  if (random.chance(0.3)) return { lots: random.pick(['cut', 'mixed'] as const), otherwise: 'lost' };
  const lot = (): Lot =>
    random.weigh([
      [2, 'lost'],
      [2, 'kept'],
      [1, 'names'],
      [1, 'zeros'],
      [2, 'cut'],
      [2, 'mixed'],
    ] as const);
  return { lots: new Map(devices.map((device) => [device, lot()])), otherwise: 'lost' };
}

export function describePlan({ lots, otherwise }: Plan): string {
  if (typeof lots === 'string') return `all devices: ${lots}`;
  return [...[...lots].map(([device, lot]) => `${device}: ${lot}`), `others: ${otherwise}`].join(', ');
}

/** What the plan means for these files. Asked twice about one thing, it says the same. */
export function makeFate(plan: Plan, random: Random): Fate {
  const lotOf = (device: string): Lot =>
    typeof plan.lots === 'string' ? plan.lots : (plan.lots.get(device) ?? plan.otherwise);
  const cuts = new Map<Folder, number>();
  const nameCuts = new Map<readonly NameChange[], number>();
  const contents = new Map<File, Buffer>();
  const cutAmong = (changes: readonly NameChange[]): number =>
    random.pick([-1, ...changes.filter(({ durable }) => !durable).map(({ at }) => at)]);

  return {
    keeps: (change) => {
      const { folder, name, at } = change;
      switch (lotOf(change.device)) {
        case 'lost':
          return false;
        case 'kept':
        case 'names':
        case 'zeros':
          return true;
        case 'cut':
          return at <= once(cuts, folder, () => cutAmong([...folder.names.values()].flat()));
        case 'mixed': {
          const changes = folder.names.get(name) ?? [];
          return at <= once(nameCuts, changes, () => cutAmong(changes));
        }
      }
    },
    contentOf: (file) => once(contents, file, () => chooseContent(file, lotOf(file.device), random)),
  };
}

function chooseContent(file: File, lot: Lot, random: Random): Buffer {
  const from = file.contents.findLastIndex(({ durable }) => durable);
  const possible = file.contents.slice(from);
  const [durable, last] = [possible[0], possible.at(-1)];
  if (durable === undefined || last === undefined) throw new Error('a file without content');
  if (!isVolatile(file) || lot === 'kept') return last.bytes;
  if (lot === 'lost' || lot === 'names') return durable.bytes;
  if (lot === 'zeros') return torn(durable, last, 0);
  const choice = random.pick([...possible, 'zeros', 'torn'] as const);
  if (typeof choice === 'object') return choice.bytes;
  return torn(durable, last, choice === 'zeros' ? 0 : random.between(0, last.bytes.length >> BLOCK_BITS) << BLOCK_BITS);
}

/** Devices write sectors of so many bytes whole or not at all. */
const BLOCK_BITS = 9;

/** The file has its new size, but of its new bytes only so many at the beginning. */
function torn(durable: Content, { bytes }: Content, count: number): Buffer {
  const result = Buffer.alloc(bytes.length);
  durable.bytes.copy(result);
  bytes.copy(result, 0, 0, count);
  return result;
}

function once<K, V>(known: Map<K, V>, key: K, make: () => V): V {
  const value = known.get(key) ?? make();
  known.set(key, value);
  return value;
}
