import { expect, test } from 'vitest';
import { AMBUSH_NAMES } from './ambushes.ts';
import { missingCircumstances } from './circumstances.ts';
import { Deck } from './deck.ts';
import type { TortureReport } from './journal.ts';
import { ODD_NAMES } from './odd-injuries.ts';
import { Random } from './random.ts';

function report(rounds: number, names: readonly string[]): TortureReport {
  return {
    operations: {},
    rounds,
    hurt: 0,
    killed: 0,
    failures: {},
    circumstances: Object.fromEntries(names.map((name) => [name, 1])),
  };
}

const CLOCKS = ['a clock goes back', 'a clock goes ahead'];

test('a run that is short need not have met everything', () => {
  expect(missingCircumstances(report(2, []))).toEqual([]);
});

test('a run of some rounds in which no clock, ambush or odd thing came about has failed', () => {
  expect(missingCircumstances(report(30, []))).toEqual(['a clock that goes back', 'an ambush', 'something odd']);
  const [ambush = '', odd = ''] = [AMBUSH_NAMES[0], ODD_NAMES[0]];
  expect(missingCircumstances(report(30, ['a clock goes back', ambush, odd]))).toEqual([]);
});

test('a long run has failed if any single circumstance never came about', () => {
  const all = [...AMBUSH_NAMES, ...ODD_NAMES, ...CLOCKS];
  expect(missingCircumstances(report(1000, all))).toEqual([]);
  for (const name of all)
    expect(
      missingCircumstances(
        report(
          1000,
          all.filter((other) => other !== name),
        ),
      ),
    ).toEqual([name]);
});

test('every card of a deck comes once before any comes again', () => {
  const deck = new Deck(new Random(1, 'deck'), ['a', 'b', 'c']);
  for (let turn = 0; turn < 20; turn++) expect([deck.draw(), deck.draw(), deck.draw()].sort()).toEqual(['a', 'b', 'c']);
});
