import type { CommandFactory } from './main.ts';
import { command, concurrencyOption, durabilityOption, redundancyOption, withCommonOptions } from '../input/options.ts';

export const uploadCommand: CommandFactory = (io, run) =>
  withCommonOptions(
    command('upload', 'Store files as objects. The first upload makes the store and the bucket.', [
      'upload my-bucket photo.jpg                      key: photo.jpg',
      'upload my-bucket -r photos --prefix 2026/       keys: 2026/<path below photos>',
      'upload my-bucket photo.jpg --redundancy 2+1     survives the loss of a disk',
      'pg_dump db | upload my-bucket - --key db.sql    from standard input',
    ]),
    io,
  )
    .argument('<bucket>', '3 to 63 characters of a-z, 0-9, "." and "-"')
    .argument('<file...>', 'files, folders with -r, or - for standard input')
    .option('--key <key>', 'the key, for one file; otherwise its base name')
    .option('--prefix <prefix>', 'put this before every key')
    .option('-r, --recursive', 'folders with all that is in them; keys are the paths below')
    .option('--content-type <type>', 'MIME type; otherwise guessed from the name')
    .addOption(redundancyOption("of these objects, instead of the bucket's or the store's"))
    .addOption(durabilityOption())
    .addOption(concurrencyOption())
    .option('--quiet', 'no progress and no result lines')
    .action(run(async () => (await import('../actions/upload.ts')).runUpload));
