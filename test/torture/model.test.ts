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

test('a write that goes on may happen later, over one that came after it', () => {
  const model = new Model();
  model.beginWrite('key', 1);
  model.acknowledge(model.beginWrite('key', 2));
  expect(possible(model, [undefined, 1, 2])).toEqual([1, 2]);
});

test('a write that died may count or not, until the next that is acknowledged', () => {
  const model = new Model();
  model.acknowledge(model.beginWrite('key', 1));
  model.end(model.beginWrite('key', 2));
  expect(possible(model, [undefined, 1, 2])).toEqual([1, 2]);
  expect(possible(model, [undefined, 1, 2])).toEqual([1, 2]);
  model.acknowledge(model.beginWrite('key', 3));
  expect(possible(model, [undefined, 1, 2, 3])).toEqual([3]);
});

test('a delete that died hides nothing, and is hidden by the next write', () => {
  const model = new Model();
  model.acknowledge(model.beginWrite('key', 1));
  model.end(model.beginWrite('key', undefined));
  expect(possible(model, [undefined, 1])).toEqual([undefined, 1]);
  model.acknowledge(model.beginWrite('key', 2));
  expect(possible(model, [undefined, 1, 2])).toEqual([2]);
});

test('of a write that died and one that goes on meanwhile either may be the last', () => {
  const model = new Model();
  const dying = model.beginWrite('key', 1);
  const other = model.beginWrite('key', 2);
  model.end(dying);
  model.acknowledge(other);
  expect(possible(model, [undefined, 1, 2])).toEqual([1, 2]);
});

test('an upload that is held back counts from when it is let go on: what died before is hidden', () => {
  const model = new Model();
  const slow = model.beginWrite('key', 1);
  model.acknowledge(model.beginWrite('key', 2));
  model.end(model.beginWrite('key', undefined));
  model.release(slow);
  expect(possible(model, [undefined, 1, 2])).toEqual([undefined, 1, 2]);
  model.acknowledge(slow);
  expect(possible(model, [undefined, 1, 2])).toEqual([1]);
});

test('a dead write that has been seen hides what was before it, unless a disk is lost meanwhile', () => {
  const model = new Model();
  model.acknowledge(model.beginWrite('key', 1));
  model.end(model.beginWrite('key', 2));
  expect(model.whyImpossible('key', 2, model.now(), true)).toBeUndefined();
  expect(possible(model, [undefined, 1, 2])).toEqual([2]);
  model.forgetGlimpses();
  expect(possible(model, [undefined, 1, 2])).toEqual([1, 2]);
});

test('a read that began before a write ended may find what was before', () => {
  const model = new Model();
  const began = model.now();
  model.acknowledge(model.beginWrite('key', 1));
  expect(model.whyImpossible('key', undefined, began, false)).toBeUndefined();
  expect(model.whyImpossible('key', undefined, model.now(), false)).toBe(
    'it was absent, but it must be one of: seed 1',
  );
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
