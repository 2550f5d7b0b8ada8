import type { CommandFactory } from './main.ts';
import {
  allowStaleOption,
  command,
  concurrencyOption,
  withCommonOptions,
  type CommonOptions,
} from '../input/options.ts';

export interface DownloadOptions extends CommonOptions {
  output?: string;
  range?: string;
  prefix?: string;
  recursive?: true;
  allowStale?: true;
  concurrency: number;
}

export const downloadCommand: CommandFactory = (io, finish) =>
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
    .action(async (address: string, options: DownloadOptions) => {
      const { runDownload } = await import('../actions/download.ts');
      finish(await runDownload(address, options, io));
    });
