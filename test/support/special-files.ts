import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { createServer } from 'node:net';
import { onTestFinished } from 'vitest';

/** Whether device nodes can be made: that takes rights that containers often lack. */
const canMakeDevices =
  spawnSync('sh', [
    '-c',
    'file=$(mktemp -u) && mknod "$file" c 1 5 && head -c 1 "$file"; code=$?; rm -f "$file"; exit $code',
  ]).status === 0;

export interface Special {
  /** In words, with an article. */
  what: string;
  /** Puts one where nothing is. */
  make: (place: string) => Promise<void> | void;
  problem?: string;
}

/** What can stand in the place of a file, and is none. */
export const SPECIALS: Special[] = [
  { what: 'a FIFO', make: (place) => void execFileSync('mkfifo', [place]) },
  { what: 'a socket', make: makeSocket },
  { what: 'a link to a device without an end', make: link('/dev/zero') },
  { what: 'a link to a file', make: link('/etc/hostname') },
  { what: 'a link that leads nowhere', make: link('nowhere/at/all') },
  {
    what: 'a link to itself',
    make: (place) => {
      fs.symlinkSync(place, place);
    },
  },
  { what: 'a folder', make: (place) => void fs.mkdirSync(`${place}/inner`, { recursive: true }) },
  {
    what: 'a device without an end',
    make: (place) => void execFileSync('mknod', [place, 'c', '1', '5']),
    ...(canMakeDevices ? {} : { problem: 'making device nodes needs root, and more rights than containers have' }),
  },
];

/** What can stand in the place of a folder, and is none. */
export const NO_FOLDERS: Special[] = [
  {
    what: 'a file',
    make: (place) => {
      fs.writeFileSync(place, "somebody's");
    },
  },
  {
    what: 'a link to a folder',
    make: (place) => {
      fs.mkdirSync(`${place}-elsewhere`);
      fs.symlinkSync(`${place}-elsewhere`, place);
    },
  },
  ...SPECIALS.filter(({ what, problem }) => problem === undefined && !['a folder', 'a link to a file'].includes(what)),
];

function link(target: string): (place: string) => void {
  return (place) => {
    fs.symlinkSync(target, place);
  };
}

async function makeSocket(place: string): Promise<void> {
  const server = createServer();
  // Paths of sockets are short, so it is made in its folder, under its name.
  const folder = fs.openSync(place.slice(0, place.lastIndexOf('/')), fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  try {
    await new Promise<void>((resolve) =>
      server.listen(`/proc/self/fd/${folder}/${place.slice(place.lastIndexOf('/') + 1)}`, resolve),
    );
  } finally {
    fs.closeSync(folder);
  }
  onTestFinished(() => void server.close());
}
