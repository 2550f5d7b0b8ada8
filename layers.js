/**
 * The order of the house, from the bottom up. A file imports from its own room and from rooms on lines above this one in
 * the list (that is, below it in the house); rooms on one line do not know each other. A path is in the room of the
 * longest name that it begins with. Lint holds the imports to this, `docs/design.md` draws it, and tests read it.
 */
export const LAYERS = [
  ['src/errors.ts'],
  ['src/concurrency', 'src/memory'],
  ['src/files'],
  ['src/erasure', 'src/disks', 'src/locks'],
  ['src/disks/local'],
  ['src/disks/drivers.ts'],
  ['src/metadata'],
  ['src/chunks'],
  ['src/store/members'],
  ['src/store/protocol'],
  ['src/store/objects', 'src/store/health'],
  ['src/store/fleet'],
  ['src/store/object-store.ts'],
  ['src/index.ts'],
  ['src/cli/terminal'],
  ['src/cli/input'],
  ['src/cli/actions'],
  ['src/cli/commands'],
  ['bin'],
];

/** Who sees less than all that is below it: the command line knows the store as any user of the library does. */
const SEES = new Map([
  ['src/cli', ['src/cli', 'src/index.ts', 'src/errors.ts']],
  ['bin', ['src/cli/commands']],
]);

/** What few of those above it see: everybody else knows disks by their contract. */
const SEEN_BY = new Map([['src/disks/local', ['src/disks/drivers.ts']]]);

/**
 * The room that a file is in.
 * @param {string} file from the project's folder on, as `src/cli/input/address.ts`
 */
export function roomOf(file) {
  const rooms = LAYERS.flat().filter((room) => isIn(file, room));
  return rooms.sort((a, b) => b.length - a.length)[0];
}

/**
 * Whether a file of the house may import another file.
 * @param {string} from
 * @param {string} to
 */
export function mayImport(from, to) {
  const [mine, other] = [roomOf(from), roomOf(to)];
  if (mine === undefined || other === undefined) return false;
  if (mine === other) return true;
  return (
    levelOf(other) < levelOf(mine) &&
    allows(SEES, (place) => isIn(from, place), to) &&
    allows(SEEN_BY, (place) => isIn(to, place), from)
  );
}

/** @param {string} room */
function levelOf(room) {
  return LAYERS.findIndex((rooms) => rooms.includes(room));
}

/**
 * Whether `file` is in one of the places that the list gives for those whom it speaks of.
 * @param {Map<string, string[]>} list
 * @param {(place: string) => boolean} concerns
 * @param {string} file
 */
function allows(list, concerns, file) {
  return [...list].every(([place, allowed]) => !concerns(place) || allowed.some((other) => isIn(file, other)));
}

/**
 * @param {string} file
 * @param {string} place a file or folder
 */
function isIn(file, place) {
  return file === place || file.startsWith(`${place}/`);
}
