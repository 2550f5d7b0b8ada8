import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { Row, Setting } from './benchmark.ts';
import { level } from './level.ts';
import { median, spread } from './statistics.ts';

/** One side of a comparison: works in a folder that is new and empty, and tells how many milliseconds it took. */
export type Contender = (folder: string) => Promise<number>;

/** Milliseconds of every round, by contender. */
export type Times<Name extends string> = Record<Name, number[]>;

export interface ContestOptions {
  /** Rounds that count, unless the setting says otherwise. */
  rounds: number;
  /** Whether a round that doesn't count comes first. */
  warmUp?: boolean;
  /** MiB that a turn writes, at most. */
  writes?: number;
  /** Lets what the turns wrote lie there to the end: ext4 makes new files slowly for a while after many have been removed. */
  keep?: boolean;
}

/**
 * Lets all contenders have one turn a round, so that what slows the machine for a while slows them all; every other
 * round goes the other way round, so that nobody always comes after the same one. Before each turn, what the one before
 * wrote is removed, and the machine is brought to the same state: see `level`. A contender that is not there, such as a
 * program that is not installed, has no times.
 */
export async function contest<Name extends string>(
  setting: Setting,
  options: ContestOptions,
  contenders: Record<Name, Contender | undefined>,
): Promise<Times<Name>> {
  const names = Object.keys(contenders) as Name[];
  const times = Object.fromEntries(names.map((name) => [name, []])) as unknown as Times<Name>;
  const rounds = setting.rounds ?? options.rounds;
  for (let round = options.warmUp === true ? 0 : 1; round <= rounds; round++) {
    for (const name of round % 2 === 1 ? names : names.toReversed()) {
      const contender = contenders[name];
      if (contender === undefined) continue;
      const folder = await fs.mkdtemp(path.join(setting.folder, 'round-'));
      try {
        await level(setting, (options.writes ?? 0) * 1.5);
        const milliseconds = await contender(folder);
        if (round > 0) times[name].push(milliseconds);
        const label = round > 0 ? `round ${round} of ${rounds}` : 'warming up';
        process.stderr.write(`  ${label}: ${name} ${milliseconds.toFixed(0)} ms\n`);
      } finally {
        if (options.keep !== true) await fs.rm(folder, { recursive: true, force: true });
      }
    }
  }
  return times;
}

export interface Comparison<Name extends string> {
  what: string;
  ours: Name;
  peer: Name;
  /** How the peer is called in the table. */
  against: string;
  /** The ratio to reach at most; without it, the line is for information. */
  goal?: number;
}

/** The table's line that compares two contenders; it says so where the peer is not there. */
export function compare<Name extends string>(times: Times<Name>, comparison: Comparison<Name>): Row {
  const { what, against, goal } = comparison;
  const ours = times[comparison.ours];
  const peer = times[comparison.peer];
  const target = goal === undefined ? '' : `≤ ${goal.toFixed(2)}`;
  if (peer.length === 0)
    return { what, ours: duration(median(ours)), peer: against, ratio: '', goal: target, verdict: 'left out' };
  const ratios = ours.map((milliseconds, round) => milliseconds / (peer[round] ?? NaN));
  const ratio = median(ratios);
  return {
    what,
    ours: duration(median(ours)),
    peer: `${against}: ${duration(median(peer))}`,
    ratio: `${ratio.toFixed(2)} (${spread(ratios)})`,
    goal: target,
    verdict: goal === undefined ? '' : ratio <= goal ? 'met' : 'not met',
  };
}

function duration(milliseconds: number): string {
  return milliseconds < 1000 ? `${milliseconds.toFixed(0)} ms` : `${(milliseconds / 1000).toFixed(2)} s`;
}
