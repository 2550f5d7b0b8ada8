/**
 * Key ⇄ path of its meta below `buckets/<bucket>/`. Pure and reversible.
 *
 * - One path component per `/`-segment; the last one ends in `.meta.json`.
 * - Percent-encoded, as `%XX` of the byte: `%`, control characters, `\ : * ? " < > |` (some file systems refuse them), a
 *   leading `.`, a `.` or space at the end of a component, and the last `.` of a folder that would end in `.meta.json`.
 * - `%` alone is the empty segment.
 * - A segment too long for a file name goes on in the next component: such a folder's name ends in a lone `%`.
 */

const META_SUFFIX = '.meta.json';

/** Encoded bytes of one component, before its suffix and the few characters that depend on the component's ends. */
const MAX_COMPONENT_BYTES = 200;

// eslint-disable-next-line no-control-regex -- control characters are what has to be found
const UNSAFE = /[\u0000-\u001f\u007f%\\:*?"<>|]/;

/** Most segments: what needs no encoding, and no cut. A folder's may have no `.` at all. */
const PLAIN = /^[\w-](?:[\w.-]{0,198}[\w-])?$/;

/** The components of a key's meta path. The key must have passed `checkKey`. */
export function keyToPath(key: string): string[] {
  const segments = key.split('/');
  return segments.flatMap((segment, index) => encodeSegment(segment, index === segments.length - 1));
}

/** The folder that holds every key that begins with `prefix`, which is empty or ends in `/`. */
export function prefixToFolder(prefix: string): string[] {
  const segments = prefix.split('/').slice(0, -1);
  return segments.flatMap((segment) => encodeSegment(segment, false));
}

/** What one entry of a bucket's folder tree stands for. */
export interface PathEntry {
  /** `part`: the segment goes on in this folder's entries. */
  kind: 'key' | 'folder' | 'part';
  text: string;
}

/** Decodes one component; undefined for a name that `keyToPath` never makes. `before` is the part of the segment before it. */
export function decodeComponent(name: string, isFolder: boolean, before: string): PathEntry | undefined {
  const entry = decodeLoosely(name, isFolder);
  if (entry === undefined) return undefined;
  const segment = before + entry.text;
  // A part says nothing on its own about where the segment would be cut; its continuation is checked whole.
  if (entry.kind === 'part') return entry.text !== '' && isWellFormed(segment) ? entry : undefined;
  const expected = encodeSegment(segment, entry.kind === 'key');
  return expected.at(-1) === name && isWellFormed(segment) ? { kind: entry.kind, text: segment } : undefined;
}

function decodeLoosely(name: string, isFolder: boolean): PathEntry | undefined {
  if (!isFolder) {
    if (!name.endsWith(META_SUFFIX)) return undefined;
    const text = name.slice(0, -META_SUFFIX.length);
    return text === '' ? undefined : { kind: 'key', text: text === '%' ? '' : decodeText(text) };
  }
  if (name === '%') return { kind: 'folder', text: '' };
  if (name.endsWith('%')) return { kind: 'part', text: decodeText(name.slice(0, -1)) };
  return { kind: 'folder', text: decodeText(name) };
}

function encodeSegment(segment: string, isLast: boolean): string[] {
  if (segment === '') return [isLast ? `%${META_SUFFIX}` : '%'];
  if (PLAIN.test(segment) && (isLast || !segment.includes('.'))) return [isLast ? segment + META_SUFFIX : segment];
  const parts = cut(segment);
  return parts.map((part, index) => {
    const text = encodeEnds(part.map(encodeCharacter));
    if (index < parts.length - 1) return `${text}%`;
    if (isLast) return `${text}${META_SUFFIX}`;
    return text.replace(/\.(meta\.json)$/iu, '%2E$1');
  });
}

/** Cuts a segment, a list of characters, where its encoded form would get too long. */
function cut(segment: string): string[][] {
  const parts: string[][] = [];
  let part: string[] = [];
  let bytes = 0;
  for (const character of segment) {
    const size = Buffer.byteLength(encodeCharacter(character));
    if (bytes + size > MAX_COMPONENT_BYTES) {
      parts.push(part);
      part = [];
      bytes = 0;
    }
    part.push(character);
    bytes += size;
  }
  parts.push(part);
  return parts;
}

function encodeEnds(characters: string[]): string {
  if (characters[0] === '.') characters[0] = percent('.');
  const last = characters.at(-1);
  if (last === '.' || last === ' ') characters[characters.length - 1] = percent(last);
  return characters.join('');
}

function encodeCharacter(character: string): string {
  return UNSAFE.test(character) ? percent(character) : character;
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}

function decodeText(text: string): string {
  return text.replace(/%([0-7][0-9A-F])/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}
