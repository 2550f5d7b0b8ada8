import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { Benchmark } from './support/benchmark.ts';
import { compare, contest } from './support/contest.ts';
import { run } from './support/process.ts';

const GOAL = 1.25;

export const startUp: Benchmark = {
  name: 'start-up',
  title: 'Start-up of the command lines',
  compiled: true,
  async run(setting) {
    const { signal, repository } = setting;
    const empty = path.join(setting.folder, 'empty.ts');
    await fs.writeFile(empty, '');
    // An ES module, like the command lines.
    await fs.writeFile(path.join(setting.folder, 'package.json'), '{ "type": "module" }\n');
    const options = { signal, cwd: repository };
    const times = await contest(
      setting,
      { rounds: 15, warmUp: true },
      {
        'tsx upload': () => run('npx', ['tsx', 'bin/upload.ts', '--help'], options),
        'tsx empty': () => run('npx', ['tsx', empty], options),
        'tsx download': () => run('npx', ['tsx', 'bin/download.ts', '--help'], options),
        'node upload': () => run('node', ['dist/bin/upload.js', '--help'], options),
        'node empty': () => run('node', ['-e', '0'], options),
        'node download': () => run('node', ['dist/bin/download.js', '--help'], options),
      },
    );
    const tsx = { peer: 'tsx empty', against: 'npx tsx empty.ts', goal: GOAL } as const;
    const node = { peer: 'node empty', against: 'node -e 0' } as const;
    return {
      rows: [
        compare(times, { what: 'npx tsx bin/upload.ts --help', ours: 'tsx upload', ...tsx }),
        compare(times, { what: 'npx tsx bin/download.ts --help', ours: 'tsx download', ...tsx }),
        compare(times, { what: 'node dist/bin/upload.js --help', ours: 'node upload', ...node }),
        compare(times, { what: 'node dist/bin/download.js --help', ours: 'node download', ...node }),
      ],
      notes: [
        'npx tsx … --help: from the start of `npx` to its end, against `npx tsx` on an ES module without content.',
        'node dist/… --help: the compiled build, against Node with nothing to do.',
      ],
    };
  },
};
