import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { createServer } from 'node:net';
import * as path from 'node:path';
import { codeOf, look, removeAll } from './files.ts';

/** What is no file that can be read, though its name says so. */
export const ODD_FILES = [
  'a FIFO',
  'a socket',
  'a dangling link',
  'a looping link',
  'a link to /dev/zero',
  'a folder',
  'a file without rights',
] as const;
export type OddFile = (typeof ODD_FILES)[number];

/** What is no folder, though its name says so. */
export const OBSTACLES = [
  'a file',
  'a FIFO',
  'a looping link',
  'a dangling link',
  'a link to a folder elsewhere',
] as const;
export type Obstacle = (typeof OBSTACLES)[number];

/** Others may make a folder anew as soon as it is moved away. */
const TRIES = 1000;

/** Puts odd things in the place of files and folders. They are made beforehand, beside the store, and appear at once. */
export class OddThings {
  readonly #folder: string;
  #count = 0;

  /** @param folder on the file system of the disks */
  constructor(folder: string) {
    this.#folder = path.join(folder, 'odd');
  }

  async prepare(): Promise<void> {
    fs.mkdirSync(this.#folder);
    const made = spawnSync('mkfifo', [this.#at('fifo')], { encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`mkfifo: ${made.error?.message ?? made.stderr}`);
    const server = createServer().listen(this.#at('listening'));
    await once(server, 'listening');
    // Its name would go with the server.
    fs.linkSync(this.#at('listening'), this.#at('socket'));
    await new Promise((resolve) => server.close(resolve));
    fs.mkdirSync(this.#at('elsewhere'));
    fs.writeFileSync(this.#at('elsewhere/precious'), 'not of the store');
  }

  /** @returns false where there is no file any more */
  replaceFile(file: string, odd: OddFile): boolean {
    if (look(file)?.isFile() !== true) return false;
    try {
      if (odd === 'a file without rights') fs.chmodSync(file, 0);
      else if (odd === 'a folder') this.#replaceByFolder(file);
      else fs.renameSync(this.#make(odd), file);
      return true;
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'EEXIST') return false;
      throw error;
    }
  }

  /** What was in the folder is lost. @returns false where there is no such folder any more */
  replaceFolder(folder: string, obstacle: Obstacle): boolean {
    if (look(folder)?.isDirectory() !== true) return false;
    const thing = this.#make(obstacle);
    for (let tries = 1; ; tries++) {
      const gone = this.#next();
      try {
        fs.renameSync(folder, gone);
        fs.renameSync(thing, folder);
        return true;
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return false;
        if (codeOf(error) !== 'EISDIR' || tries === TRIES) throw error;
      } finally {
        removeAll(gone);
      }
    }
  }

  /** What is in the folder that links lead to. */
  elsewhere(): string[] {
    return fs.readdirSync(this.#at('elsewhere'));
  }

  /** A thing under a name of its own, to be renamed into its place. */
  #make(what: Exclude<OddFile, 'a folder' | 'a file without rights'> | Obstacle): string {
    const place = this.#next();
    switch (what) {
      case 'a file':
        fs.writeFileSync(place, 'no folder');
        break;
      case 'a FIFO':
        fs.linkSync(this.#at('fifo'), place);
        break;
      case 'a socket':
        fs.linkSync(this.#at('socket'), place);
        break;
      case 'a dangling link':
        fs.symlinkSync('nowhere', place);
        break;
      case 'a looping link':
        this.#linkToItself(place);
        break;
      case 'a link to /dev/zero':
        fs.symlinkSync('/dev/zero', place);
        break;
      case 'a link to a folder elsewhere':
        fs.symlinkSync(this.#at('elsewhere'), place);
        break;
    }
    return place;
  }

  /** It must lead to itself where it will be: two links that lead to each other do so everywhere. */
  #linkToItself(place: string): void {
    const [one, other] = [this.#at('loop'), this.#at('pool')];
    if (look(one) === undefined) {
      fs.symlinkSync(other, one);
      fs.symlinkSync(one, other);
    }
    fs.symlinkSync(one, place);
  }

  #replaceByFolder(file: string): void {
    fs.unlinkSync(file);
    fs.mkdirSync(file);
    if (this.#count++ % 2 === 0) fs.writeFileSync(path.join(file, 'inside'), 'odd');
  }

  #next(): string {
    return this.#at(String(this.#count++));
  }

  #at(name: string): string {
    return path.join(this.#folder, name);
  }
}
