import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { printNote, printWarnings } from '../../src/cli/terminal/failure.ts';
import { Output, type Io } from '../../src/cli/terminal/io.ts';

/** What a function writes to stderr. */
async function stderrOf(print: (io: Io) => Promise<void>, isTTY = false): Promise<string> {
  const stream = Object.assign(new PassThrough(), { isTTY });
  const io: Io = {
    stdin: new PassThrough(),
    stdout: new Output(new PassThrough()),
    stderr: new Output(stream),
    env: {},
    signal: new AbortController().signal,
  };
  await print(io);
  stream.end();
  return (await stream.toArray()).map(String).join('');
}

describe('warnings', () => {
  test('are a line each', async () => {
    expect(await stderrOf((io) => printWarnings(['one', 'two'], io))).toBe('warning: one\nwarning: two\n');
  });

  test('are never a flood', async () => {
    const lines = (
      await stderrOf((io) =>
        printWarnings(
          Array.from({ length: 5000 }, (_, index) => `chunk ${index}`),
          io,
        ),
      )
    ).split('\n');
    expect(lines).toHaveLength(12);
    expect(lines[10]).toBe('warning: … and 4990 more like these');
  });
});

test('a note is for a terminal only, and can do nothing to it', async () => {
  expect(await stderrOf((io) => printNote('well\u001b[2J', io))).toBe('');
  expect(await stderrOf((io) => printNote('well\u001b[2J', io), true)).toContain('well\\u001b[2J');
});
