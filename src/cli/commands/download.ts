import type { CommandFactory } from './main.ts';
import { allowStaleOption, command, concurrencyOption, withCommonOptions } from '../input/options.ts';

export const downloadCommand: CommandFactory = (io, run) =>
  withCommonOptions(
    command('download', 'Read objects back into files. A file appears under its name when it is whole.', [
      'download my-bucket/photo.jpg                    to downloaded_files/photo.jpg',
      'download my-bucket/photo.jpg -o /tmp/p.jpg      to that file',
      'download my-bucket/db.sql -o - | psql db        to standard output',
      'download my-bucket/log.txt --range -1000 -o -   the last 1,000 bytes',
      'download -r my-bucket/2026/ -o photos           all keys that begin with 2026/',
    ]),
    io,
  )
    .argument('<bucket/key>', 'the object; with -r, bucket or bucket/prefix')
    .option('-o, --output <path>', 'a file, a folder, or - for standard output')
    .option('--range <from-to>', 'some of the bytes: 0-99 is the first 100, 100- all but those, -100 the last 100')
    .option('--prefix <prefix>', 'everything whose key begins so (with a bucket alone)')
    .option('-r, --recursive', 'everything whose key begins with what is given')
    .addOption(allowStaleOption())
    .addOption(concurrencyOption())
    .option('--quiet', 'no progress and no result lines')
    .action(run(async () => (await import('../actions/download.ts')).runDownload));
