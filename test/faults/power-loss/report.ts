import type { Failure } from './suite.ts';

/** Failures of each scenario that are shown in full. */
const SHOWN = 6;
const LOSSES_SHOWN = 12;

/** What was wrong, in which state, and how to see it again. */
export function describeFailures(failures: readonly Failure[]): string {
  return [...groups(failures, ({ scenario }) => scenario)]
    .map(([name, list]) =>
      [`${name}: ${list.length} wrong state(s)`, ...distinct(list).slice(0, SHOWN).map(describe)].join('\n'),
    )
    .join('\n\n');
}

/** One of each problem first. */
function distinct(failures: readonly Failure[]): Failure[] {
  return [
    ...groups(failures, ({ problem, when }) =>
      `${problem} ${when.split('; power')[0] ?? ''}`.replaceAll(/[0-9a-f-]{8,}/g, ''),
    ).values(),
  ].flatMap((list) => list.slice(0, 1));
}

function groups(failures: readonly Failure[], nameOf: (failure: Failure) => string): Map<string, Failure[]> {
  const result = new Map<string, Failure[]>();
  for (const failure of failures) result.set(nameOf(failure), [...(result.get(nameOf(failure)) ?? []), failure]);
  return result;
}

function describe({ scenario, seed, problem, when, plan, lost }: Failure): string {
  const more = lost.length > LOSSES_SHOWN ? [`… and ${lost.length - LOSSES_SHOWN} more`] : [];
  return [
    `  ${problem}`,
    `    ${when}`,
    `    ${plan}; not on disk: ${[...lost.slice(0, LOSSES_SHOWN), ...more].join('; ') || 'nothing'}`,
    `    again: npm run power-loss -- --seed ${seed} --only ${JSON.stringify(scenario)}`,
  ].join('\n');
}
