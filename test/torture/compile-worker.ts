import * as path from 'node:path';
import { compileScripts } from '../support/processes.ts';

/** Compiles the workers' program into `folder`, and returns its path. */
export function compileWorker(folder: string): string {
  const [first = '', ...others] = ['worker.ts', 'clock.ts', 'content.ts', 'half-death.ts', 'sources.ts'].map((name) =>
    path.join(import.meta.dirname, name),
  );
  return compileScripts(folder, [first, ...others]);
}
