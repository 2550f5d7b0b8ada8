import type { Io } from './io.ts';

/**
 * Lines to write while a bar may be running: a bar and lines on one terminal would overwrite each other, so there the
 * lines wait until `flush`; elsewhere they are written as they come.
 */
export class LaterLines {
  readonly #isTerminal: boolean;
  readonly #waiting: (() => Promise<void>)[] = [];

  constructor(io: Io) {
    this.#isTerminal = io.stderr.isTerminal;
  }

  async add(write: () => Promise<void>): Promise<void> {
    if (this.#isTerminal) this.#waiting.push(write);
    else await write();
  }

  async flush(): Promise<void> {
    for (const write of this.#waiting.splice(0)) await write();
  }
}
