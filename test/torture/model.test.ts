import { expect, test } from 'vitest';
import { Model } from './model.ts';

/** What a read that begins now may find. */
function possible(model: Model, seeds: readonly (number | undefined)[]): (number | undefined)[] {
  return seeds.filter((seed) => model.whyImpossible('key', seed, model.now(), false) === undefined);
}

test('before the first write a key is absent', () => {
  expect(possible(new Model(), [undefined, 1])).toEqual([undefined]);
});

test('as long as a write is not acknowledged, a read may find what was before or what it wrote', () => {
  const model = new Model();
  const write = model.beginWrite('key', 1);
  expect(possible(model, [undefined, 1, 2])).toEqual([undefined, 1]);
  model.acknowledge(write);
  expect(possible(model, [undefined, 1, 2])).toEqual([1]);
});

test('of two writes at the same time either may be the last', () => {
  const model = new Model();
  const [first, second] = [model.beginWrite('key', 1), model.beginWrite('key', 2)];
  model.acknowledge(first);
  model.acknowledge(second);
  expect(possible(model, [undefined, 1, 2])).toEqual([1, 2]);
  model.acknowledge(model.beginWrite('key', undefined));
  expect(possible(model, [undefined, 1, 2])).toEqual([undefined]);
});

test('a write that was killed may happen later, over one that came after it', () => {
  const model = new Model();
  model.beginWrite('key', 1);
  model.acknowledge(model.beginWrite('key', 2));
  expect(possible(model, [undefined, 1, 2])).toEqual([1, 2]);
});

test('a read that began before a write ended may find what was before', () => {
  const model = new Model();
  const began = model.now();
  model.acknowledge(model.beginWrite('key', 1));
  expect(model.whyImpossible('key', undefined, began, false)).toBeUndefined();
  expect(model.whyImpossible('key', undefined, model.now(), false)).toBe('it was absent, but it must be one of: seed 1');
});

test('what has been seen stays, unless a disk is lost meanwhile', () => {
  const model = new Model();
  model.beginWrite('key', 1);
  expect(model.whyImpossible('key', 1, model.now(), true)).toBeUndefined();
  expect(possible(model, [undefined, 1])).toEqual([1]);
  model.forgetGlimpses();
  expect(possible(model, [undefined, 1])).toEqual([undefined, 1]);
});

test('what is settled is all there is', () => {
  const model = new Model();
  model.beginWrite('key', 1);
  model.beginWrite('key', 2);
  model.settle('key', 1);
  expect(possible(model, [undefined, 1, 2])).toEqual([1]);
});
