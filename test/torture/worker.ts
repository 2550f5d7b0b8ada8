/**
 * A process that does to a store what it is told: `node worker.js <library> <root> [<milliseconds
 * by which its clock is ahead>]`. Each line on stdin is an operation
 * with a number; a line on stdout answers it. Operations overlap.
 */
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type * as Library from '../../src/index.ts';
import { setClock } from './clock.ts';
import { contentTypeOf, makeContent, seedOf, sizeOf, whyWrong } from './content.ts';
import { dieAt, watchChanges } from './half-death.ts';
import type { Operation, Outcome, StoreOperation } from './operations.ts';
import { holdBack, holdOf, trickle } from './sources.ts';

watchChanges(process.argv[3] ?? '');
setClock(Number(process.argv[4] ?? 0));
const { ObjectStore, isStoreError } = (await import(process.argv[2] ?? '')) as typeof Library;
let opened: Promise<Library.ObjectStore> | undefined;

createInterface({ input: process.stdin }).on('line', (line) => {
  const { number, operation } = JSON.parse(line) as { number: number; operation: Operation };
  void answer(number, operation);
});

async function answer(number: number, operation: Operation): Promise<void> {
  let outcome: Outcome;
  try {
    outcome = await perform(operation);
  } catch (error) {
    if (isStoreError(error)) outcome = { error: { code: error.code, message: error.message } };
    else outcome = { problem: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  process.stdout.write(`${JSON.stringify({ number, outcome })}\n`);
}

async function perform(operation: Operation): Promise<Outcome> {
  switch (operation.do) {
    case 'set clock':
      setClock(operation.milliseconds);
      return {};
    case 'await hold':
      await holdOf(operation.seed).reached;
      return {};
    case 'release':
      holdOf(operation.seed).release();
      return {};
    case 'put':
    case 'delete':
      return operation.death === undefined ? useStore(operation) : dieAt(operation.death, () => useStore(operation));
    case 'get':
    case 'range':
    case 'head':
    case 'list':
    case 'verify':
    case 'heal':
    case 'gc':
    case 'usage':
    case 'add disk':
    case 'replace disk':
    case 'drain disk':
    case 'cancel drain':
    case 'remove disk':
    case 'rebalance':
      return useStore(operation);
  }
}

async function useStore(operation: StoreOperation): Promise<Outcome> {
  opened ??= ObjectStore.open(process.argv[3] ?? '');
  return work(await opened, operation);
}

async function work(store: Library.ObjectStore, operation: StoreOperation): Promise<Outcome> {
  switch (operation.do) {
    case 'put': {
      const { bucket, key, seed, redundancy } = operation;
      const options = { contentType: contentTypeOf(seed), redundancy };
      const { meta, failed, unwritten, offline } = await store.put(bucket, key, sourceOf(operation), options);
      const reasons = failed.map(({ disk, reason }) => `${disk}: ${reason}`);
      return {
        version: meta.version,
        isWeak: unwritten.length + failed.length + offline.length > 0,
        ...(reasons.length > 0 ? { failed: reasons } : {}),
      };
    }
    case 'delete':
      await store.delete(operation.bucket, operation.key);
      return {};
    case 'get': {
      const { meta, body } = await store.get(operation.bucket, operation.key);
      return judge(meta, await buffer(body));
    }
    case 'range': {
      const { from, count } = operation;
      const { meta, body } = await store.get(operation.bucket, operation.key, {
        range: { from, to: from + count - 1 },
      });
      return judge(meta, await buffer(body), from, Math.min(meta.size, from + count));
    }
    case 'head': {
      const meta = await store.head(operation.bucket, operation.key);
      const seed = seedOf(meta.contentType);
      if (meta.size !== sizeOf(seed)) return { problem: `a meta of seed ${seed} says ${meta.size} bytes` };
      return { seed, version: meta.version };
    }
    case 'list': {
      const listed: [string, number][] = [];
      for await (const { key, contentType, size } of store.list(operation.bucket, { prefix: operation.prefix })) {
        const seed = seedOf(contentType);
        if (size !== sizeOf(seed)) return { problem: `${key} is listed as seed ${seed} of ${size} bytes` };
        listed.push([key, seed]);
      }
      return { listed };
    }
    case 'verify': {
      const problems: string[] = [];
      const report = await store.verify({
        quick: operation.quick,
        onObject: (health) => void problems.push(...describe(health)),
      });
      return { health: { ...report, failed: [], problems } };
    }
    case 'heal': {
      const problems: string[] = [];
      const { bucket, dryRun } = operation;
      const report = await store.heal({
        bucket,
        dryRun,
        onObject: (health) => void problems.push(...describe(health)),
      });
      return { health: { ...report, problems }, ...(report.gc === undefined ? {} : { gc: report.gc }) };
    }
    case 'gc':
      return { gc: await store.gc() };
    case 'usage': {
      const disks = await store.usage();
      return { stale: disks.reduce((sum, { staleMetas }) => sum + (staleMetas ?? 0), 0) };
    }
    case 'add disk':
      await store.addDisk(operation.name, operation.path);
      return {};
    case 'replace disk':
      await store.replaceDisk(operation.name);
      return {};
    case 'drain disk':
      return { failed: (await store.drainDisk(operation.name)).failed };
    case 'cancel drain':
      await store.cancelDrain(operation.name);
      return {};
    case 'remove disk':
      await store.removeDisk(operation.name);
      return {};
    case 'rebalance':
      return { failed: (await store.rebalance()).failed };
  }
}

function sourceOf({ seed, slow, hold }: Extract<Operation, { do: 'put' }>): Buffer | Readable {
  const content = makeContent(seed);
  if (hold !== undefined) return holdBack(seed, content, hold);
  return slow === true ? trickle(content) : content;
}

function judge(meta: Library.ObjectMeta, bytes: Buffer, from?: number, to?: number): Outcome {
  const seed = seedOf(meta.contentType);
  const problem = whyWrong(bytes, seed, from, to);
  return problem === undefined ? { seed, version: meta.version } : { problem };
}

function describe({ bucket, key, state, survives, problems, lost }: Library.ObjectHealth): string[] {
  if (state === 'whole') return [];
  const reasons = problems.map(({ state: what, reason }) => `${what}: ${reason}`).join('; ');
  const gone = lost.map(({ from, to }) => `${from}-${to}`).join(',');
  return [`${bucket}/${key} is ${state}${gone === '' ? '' : ` (${gone})`}, survives ${survives}: ${reasons}`];
}
