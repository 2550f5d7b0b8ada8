import { AMBUSH_NAMES } from './ambushes.ts';
import type { TortureReport } from './journal.ts';
import { ODD_NAMES } from './odd-injuries.ts';

/** Circumstances of which one at least must have come about in any run that has so many rounds. */
const GROUPS: readonly { rounds: number; what: string; names: readonly string[] }[] = [
  { rounds: 3, what: 'a clock that goes back', names: ['a clock goes back'] },
  { rounds: 10, what: 'an ambush', names: AMBUSH_NAMES },
  { rounds: 20, what: 'something odd', names: ODD_NAMES },
];

/** After so many rounds, each by itself. */
const ROUNDS_FOR_ALL = 200;

/** What should have come about in a run, but never did: then it proves nothing about that. */
export function missingCircumstances({ rounds, circumstances }: TortureReport): string[] {
  const isMissing = (name: string): boolean => (circumstances[name] ?? 0) === 0;
  if (rounds >= ROUNDS_FOR_ALL)
    return [...AMBUSH_NAMES, ...ODD_NAMES, 'a clock goes back', 'a clock goes ahead'].filter(isMissing);
  return GROUPS.flatMap((group) => (rounds >= group.rounds && group.names.every(isMissing) ? [group.what] : []));
}
