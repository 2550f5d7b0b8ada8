import { parseRedundancy } from '../../index.ts';
import { plural } from '../terminal/format.ts';

/** What an option says, once it is certain that it makes sense: before anything is made. @throws BAD_REDUNDANCY */
export function checkedRedundancy(text: string | undefined): string | undefined {
  if (text !== undefined) parseRedundancy(text);
  return text;
}

/** `2+1` in words, in a store of so many disks: half of them, rounded up, must always answer. */
export function describeRedundancy(text: string, disks: number): string {
  const { parity } = parseRedundancy(text);
  const survives = Math.min(parity, Math.floor(disks / 2));
  if (parity === 0) return `${text}: does not survive the loss of a disk`;
  const limit = survives < parity ? ` (${Math.ceil(disks / 2)} of ${disks} disks must answer)` : '';
  return `${text}: survives the loss of ${plural(survives, 'disk')}${limit}`;
}
