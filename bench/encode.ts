import { createRequire } from 'node:module';
import { combine } from '../src/erasure/combine.ts';
import { recoveryMatrix } from '../src/erasure/matrix.ts';
import { alignedBuffers } from '../src/memory/aligned.ts';
import type { Benchmark, Row } from './support/benchmark.ts';
import { compare, contest, type Comparison, type Contender, type Times } from './support/contest.ts';
import { median } from './support/statistics.ts';
import { timed } from './support/process.ts';

const DATA_SHARDS = 4;
const PARITY_SHARDS = 2;
const SHARD = 1024 * 1024;

/** Stripes that a turn encodes. */
const STRIPES = 64;

const GOAL = 0.25;

/** What both packages export that wrap the same Rust library: all shards lie in one array, the data first. */
interface SubspacePackage {
  ReedSolomonErasure: {
    fromCurrentDirectory(): Promise<{ encode(shards: Uint8Array, dataShards: number, parityShards: number): number }>;
  };
}

/** It gives new arrays for all shards. */
interface WasmPackage {
  encode(dataShards: Uint8Array[], parityShards: number): Uint8Array[];
}

const NAMES = {
  subspace: '@subspace/reed-solomon-erasure.wasm',
  digitaldefiance: '@digitaldefiance/reed-solomon-erasure.wasm',
  wasm: 'wasm-reed-solomon-erasure',
} as const;

export const encode: Benchmark = {
  name: 'encode',
  title: 'Parity of stripes',
  compiled: false,
  async run(setting) {
    const times = await contest(
      setting,
      { rounds: 9, warmUp: true },
      {
        'one memory': ours(alignedBuffers(DATA_SHARDS + PARITY_SHARDS, SHARD)),
        'any buffers': ours(Array.from({ length: DATA_SHARDS + PARITY_SHARDS }, () => Buffer.alloc(SHARD))),
        subspace: await subspace(NAMES.subspace),
        digitaldefiance: await subspace(NAMES.digitaldefiance),
        wasm: wasm(NAMES.wasm),
      },
    );
    const what = `encode ${DATA_SHARDS}+${PARITY_SHARDS} of 1 MiB`;
    return {
      rows: [
        rate(times, { what, ours: 'one memory', peer: 'subspace', against: NAMES.subspace, goal: GOAL }),
        rate(times, { what, ours: 'one memory', peer: 'digitaldefiance', against: NAMES.digitaldefiance, goal: GOAL }),
        rate(times, { what, ours: 'one memory', peer: 'wasm', against: NAMES.wasm, goal: GOAL }),
        rate(times, {
          what: `${what}, any buffers`,
          ours: 'any buffers',
          peer: 'subspace',
          against: NAMES.subspace,
          goal: GOAL,
        }),
      ],
      notes: [
        `encode: the parity shards of ${STRIPES} stripes of ${DATA_SHARDS} data and ${PARITY_SHARDS} parity
         shards of 1 MiB, one after the other on one core, in GiB of data a second. The same stripe is encoded again and again,
         so that it is in the processor's cache, for both sides; a round to warm up comes first.`,
        'any buffers: the shards lie in buffers of Node instead of buffers from `alignedBuffers`.',
        `${Object.values(NAMES).join(', ')}: Reed-Solomon packages on npm for shards of files that are small and need no compiler
         and no install script. Each gets its data in the form that it asks for, which is made before the time is taken.`,
      ],
    };
  },
};

function ours(shards: readonly Buffer[]): Contender {
  fill(shards);
  const data = shards.slice(0, DATA_SHARDS);
  const parity = shards.slice(DATA_SHARDS);
  const matrix = recoveryMatrix(
    DATA_SHARDS,
    [...data.keys()],
    [...parity.keys()].map((row) => DATA_SHARDS + row),
  );
  return everyStripe(() => {
    combine(matrix, data, parity);
  });
}

async function subspace(name: string): Promise<Contender> {
  const { ReedSolomonErasure } = load(name) as SubspacePackage;
  const codec = await ReedSolomonErasure.fromCurrentDirectory();
  const shards = Buffer.alloc((DATA_SHARDS + PARITY_SHARDS) * SHARD);
  fill([shards]);
  return everyStripe(() => {
    const code = codec.encode(shards, DATA_SHARDS, PARITY_SHARDS);
    if (code !== 0) throw new Error(`${name} failed with ${code}`);
  });
}

function wasm(name: string): Contender {
  const codec = load(name) as WasmPackage;
  const data = Array.from({ length: DATA_SHARDS }, () => Buffer.alloc(SHARD));
  fill(data);
  return everyStripe(() => {
    const { length } = codec.encode(data, PARITY_SHARDS);
    if (length !== DATA_SHARDS + PARITY_SHARDS) throw new Error(`${name} gave ${length} shards`);
  });
}

/** The packages for Node are CommonJS. */
function load(name: string): unknown {
  return createRequire(import.meta.url)(name);
}

/** No shard is zeros, and no two are alike. */
function fill(shards: readonly Buffer[]): void {
  for (const [shard, buffer] of shards.entries()) {
    for (let index = 0; index < buffer.length; index++) buffer[index] = (index * 2654435761 + shard * 97) >>> 13;
  }
}

function everyStripe(work: () => void): Contender {
  return () =>
    timed(() => {
      for (let stripe = 0; stripe < STRIPES; stripe++) work();
      return Promise.resolve();
    });
}

/** The table's line that compares two contenders, with rates in place of times. */
function rate<Name extends string>(times: Times<Name>, comparison: Comparison<Name>): Row {
  const gibibytes = (STRIPES * DATA_SHARDS * SHARD) / 1024 ** 3;
  const show = (name: Name): string => `${((gibibytes * 1000) / median(times[name])).toFixed(2)} GiB/s`;
  return {
    ...compare(times, comparison),
    ours: show(comparison.ours),
    peer: `${comparison.against}: ${show(comparison.peer)}`,
  };
}
