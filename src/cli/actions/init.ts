import { ObjectStore, type InitOptions } from '../../index.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { UsageError } from '../terminal/failure.ts';
import type { Io } from '../terminal/io.ts';
import { waitOptions } from '../input/open-store.ts';
import type { CommonOptions } from '../input/options.ts';
import { checkedRedundancy, describeRedundancy } from '../input/redundancy.ts';

export interface InitCommandOptions extends CommonOptions {
  disks?: number;
  disk?: string[];
  durability?: 'fsync' | 'none';
  redundancy?: string;
}

/** Makes a store, and shows its disks. */
export async function runInit(options: InitCommandOptions, io: Io): Promise<number> {
  if (options.disks !== undefined && options.disk !== undefined)
    throw new UsageError('--disks and --disk exclude each other');
  const redundancy = checkedRedundancy(options.redundancy);
  const init: InitOptions = {
    ...(options.disks === undefined ? {} : { disks: options.disks }),
    ...(options.disk === undefined ? {} : { places: options.disk.map(parsePlace) }),
    ...(options.durability === undefined ? {} : { durability: options.durability }),
    ...(redundancy === undefined ? {} : { redundancy }),
    waiting: waitOptions(options, io),
  };
  const { root, document } = await ObjectStore.init(options.root, init);
  if (options.json === true) {
    await io.stdout.json({ root, ...document });
    return EXIT.done;
  }
  await io.stdout.line(`store ${document.id} in ${root}`);
  for (const { name, path } of document.disks) await io.stdout.line(`  ${name}  ${path}`);
  if (redundancy !== undefined)
    await io.stdout.line(`redundancy ${describeRedundancy(redundancy, document.disks.length)}`);
  return EXIT.done;
}

function parsePlace(text: string): { name: string; path: string } {
  const at = text.indexOf('=');
  if (at < 1 || at === text.length - 1) throw new UsageError(`bad --disk "${text}": it needs name=path`);
  return { name: text.slice(0, at), path: text.slice(at + 1) };
}
