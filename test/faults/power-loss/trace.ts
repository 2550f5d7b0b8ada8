import { rmSync } from 'node:fs';
import * as path from 'node:path';
import { traceNode, type Ended } from '../strace.ts';
import type { Command } from './commands.ts';
import { ALL_KEPT } from './nodes.ts';
import { FULL_STRINGS, stepsOf, WATCHED, type Step } from './steps.ts';
import { linesOf, readTree, writeTree } from './tree.ts';
import type { VolatileFiles } from './volatile-files.ts';

export interface TracePlaces {
  /** A compiled build's folder. */
  program: string;
  /** Where the files of `INPUTS` are. */
  inputs: string;
  /** Not there yet; gone again afterwards. */
  folder: string;
  /** Name of the store's folder in it. */
  store: string;
}

/**
 * Runs a command to its end, on files as they are as long as the power stays, and tells what it did to them.
 * @throws where that does not lead to what the command has left: then the trace or the model misses something
 */
export async function traceCommand(
  command: Command,
  files: VolatileFiles,
  places: TracePlaces,
): Promise<{ steps: Step[]; ended: Ended }> {
  const { program, inputs, folder, store } = places;
  const root = path.join(folder, store);
  const log = `${folder}.log`;
  writeTree(files.build(ALL_KEPT), folder);
  const args = command.args({ store: root, input: (name) => path.join(inputs, name) });
  const entry = path.join(program, 'bin', `${command.door}.js`);
  const traced = await traceNode([entry, ...args, '--root', root], { trace: WATCHED, flags: FULL_STRINGS, log });
  const steps = stepsOf(traced.calls, folder);
  for (const step of steps) files.apply(step);
  const [model, disk] = [linesOf(files.build(ALL_KEPT)), linesOf(readTree(folder))];
  const differences = [
    ...missingIn(disk, model).map((line) => `- ${line}`),
    ...missingIn(model, disk).map((line) => `+ ${line}`),
  ];
  if (differences.length > 0)
    throw new Error(`the trace of ${args.join(' ')} does not tell everything:\n${differences.join('')}`);
  rmSync(folder, { recursive: true });
  rmSync(log);
  return { steps, ended: traced };
}

function missingIn(lines: readonly string[], others: readonly string[]): string[] {
  const known = new Set(lines);
  return others.filter((line) => !known.has(line));
}
