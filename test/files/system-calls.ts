import type * as fs from 'node:fs';

type Call = (...args: unknown[]) => unknown;
type Callback = (error: Error | null) => void;

/** The calls of `node:fs` that are watched: those that change a file system, and the sync. */
const WATCHED = ['open', 'write', 'fsync', 'rename', 'unlink', 'rmdir', 'mkdir'] as const;

/**
 * Watches system calls, and makes some of them fail or wait. A test file mocks `node:fs` with `watched` (hoisted), so
 * that the code under test goes through it; everything else of `node:fs` stays as it is.
 */
export class SystemCalls {
  /** What was called, in order: `rename a b`, and a descriptor by the path that it was opened with. */
  log: string[] = [];
  /** Decides about a call before it is made: an errno makes it fail, a promise holds it up. */
  plan: (call: string) => string | Promise<void> | undefined = () => undefined;
  readonly #paths = new Map<unknown, string>();

  /** Forgets calls and plan, between two tests. */
  reset(): void {
    this.log = [];
    this.plan = () => undefined;
  }

  /** The calls since the last reset that are one of `kinds`, each with its paths below `root`. */
  calls(root: string, ...kinds: string[]): string[] {
    return this.log
      .filter((call) => kinds.includes(call.split(' ')[0] ?? ''))
      .map((call) => call.replaceAll(`${root}/`, ''));
  }

  /** `node:fs` with the watched calls wrapped. */
  watched(actual: typeof fs): typeof fs {
    const wrapped = Object.fromEntries(WATCHED.map((name) => [name, this.#wrap(name, actual[name] as Call)]));
    return { ...actual, ...wrapped };
  }

  #wrap(name: (typeof WATCHED)[number], real: Call): Call {
    return (...args) => {
      const callback = args.pop() as Callback;
      const described = [
        name,
        ...args.slice(0, name === 'rename' ? 2 : 1).map((arg) => this.#paths.get(arg) ?? String(arg)),
      ].join(' ');
      this.log.push(described);
      const decision = this.plan(described);
      if (typeof decision === 'string') {
        queueMicrotask(() => {
          callback(Object.assign(new Error(`${decision}: a planned failure, ${described}`), { code: decision }));
        });
        return;
      }
      const done = (error: Error | null, ...results: unknown[]): void => {
        if (name === 'open' && error === null) this.#paths.set(results[0], String(args[0]));
        (callback as (...all: unknown[]) => void)(error, ...results);
      };
      if (decision === undefined) real(...args, done);
      else void decision.then(() => real(...args, done));
    };
  }
}
