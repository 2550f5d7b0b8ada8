import { readQuorumOf } from '../../disks/disk-set.ts';
import { StoreError } from '../../errors.ts';
import { parseRedundancy } from '../../metadata/redundancy.ts';
import type { StoreContext } from '../protocol/context.ts';
import type { StoreDocument } from '../members/store-document.ts';
import type { DiskOptions } from './entries.ts';
import { survey } from './survey.ts';

/** Checks that the store can do without a disk, and returns what checks it again as far as that is quick. @throws DISK_NEEDED */
export async function refuseNeeded(context: StoreContext, name: string, { signal }: DiskOptions): Promise<() => void> {
  const { members } = context;
  const refuse = (reason: string): never => {
    const message = `disk "${name}" is needed: ${reason}; add another one first ("store disk add")`;
    throw new StoreError('DISK_NEEDED', message, { disk: name });
  };
  const { holding, roomElsewhere, widest } = await survey(context, name, signal);
  const refuseNarrow = (): void => {
    const others = members.belong.filter((disk) => disk !== name).length;
    if (others === 0) refuse('it is the only one');
    const { data, parity } = parseRedundancy(members.document.redundancy);
    const left = `${others} would be left`;
    if (data + parity > others)
      refuse(`the store's redundancy ${members.document.redundancy} takes ${data + parity} disks, and ${left}`);
    if (widest.shards > others)
      refuse(`${widest.redundancy} of ${widest.name} takes ${widest.shards} disks, and ${left}`);
  };
  refuseNarrow();
  if (holding.used > roomElsewhere) {
    refuse(`${holding.used} bytes are on it, and the other disks have room for ${Math.floor(roomElsewhere)}`);
  }
  return refuseNarrow;
}

/** @throws DISK_NEEDED where the members left would be fewer than a read needs, so that nothing could be read or healed */
export function refuseUnreadable(document: StoreDocument, disks: number, replaced: string | undefined): void {
  const voters = document.disks.filter(({ name, role }) => role !== 'joining' && name !== replaced).length;
  const expected = readQuorumOf(disks);
  if (voters >= expected) return;
  const joining = document.disks.filter(({ role }) => role === 'joining').map(({ name }) => `"${name}"`);
  const hint =
    joining.length === 0
      ? 'there is nothing left to heal it from'
      : `${joining.join(', ')} must join first: run "store heal", or "store heal --allow-stale" if the others are lost`;
  const message = `a read of ${disks} disks needs ${expected} that have all metas, and ${voters} would have them`;
  throw new StoreError('DISK_NEEDED', `${message}; ${hint}`, { expected, found: voters });
}
