import { hash } from 'node:crypto';
import * as v from 'valibot';
import { isStoreError, reasonOf, StoreError, type ErrorDetails } from '../errors.ts';
import { isVersion } from './version.ts';

/** The only format there is. A reader refuses others. */
export const FORMAT = 1;

export const versionSchema = v.pipe(v.string(), v.check(isVersion, 'not a UUIDv7'));

/** What every document that lies in copies on all disks has in common. */
export interface VersionedDocument {
  format: typeof FORMAT;
  version: string;
  /** Of two documents of one version the one with the later revision is newer; one without is the oldest. Minted like a version. */
  revision?: string | undefined;
  /** SHA-256, in hex, of the document's compact JSON without this member, members in their order. */
  checksum: string;
}

/** Less than 0 where `a` is older than `b`, 0 where they are the same document, more than 0 where it is newer. */
export function compareAge(a: VersionedDocument, b: VersionedDocument): number {
  const [x, y] = a.version === b.version ? [a.revision ?? '', b.revision ?? ''] : [a.version, b.version];
  return x === y ? 0 : x < y ? -1 : 1;
}

/** In compact JSON nothing but a member of the document itself can look so: in a string the quotes would be escaped. */
const CHECKSUM_AT_END = /,"checksum":"[0-9a-f]{64}"\}$/;

/** Adds the checksum. */
export function seal<T extends object>(content: T): T & { checksum: string } {
  return { ...content, checksum: hash('sha256', JSON.stringify(content), 'hex') };
}

/** The text of a document: JSON, one member a line, and in a list of objects one object a line. */
export function formatDocument(document: object): string {
  const lines = Object.entries(document).map(([name, value]: [string, unknown]) => {
    const isTable = Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'object');
    const text = isTable
      ? `[\n${value.map((item) => `    ${JSON.stringify(item)}`).join(',\n')}\n  ]`
      : JSON.stringify(value);
    return `  ${JSON.stringify(name)}: ${text}`;
  });
  return `{\n${lines.join(',\n')}\n}\n`;
}

/**
 * Reads a document back: JSON, known format, checksum, shape.
 * @throws META_DAMAGED, or UNKNOWN_FORMAT where it is whole but from a later time
 */
export function parseDocument<T>(bytes: Buffer, schema: v.GenericSchema<unknown, T>, details: ErrorDetails): T {
  try {
    return understand(bytes, schema, details);
  } catch (error) {
    if (isStoreError(error)) throw error;
    // Nested too deeply for the stack, too long for a string: whatever it is, it is this copy that can't be used.
    throw damaged(details, reasonOf(error), error);
  }
}

function damaged(details: ErrorDetails, reason: string, cause?: unknown): StoreError {
  return new StoreError('META_DAMAGED', `${details.path ?? 'document'} is damaged: ${reason}`, details, cause);
}

/** A document's compact JSON without its checksum. */
function contentOf(document: object): string {
  const whole = JSON.stringify(document);
  // Where it is the last member, as `seal` makes it, cutting it off takes half the time of an object without it.
  const last = CHECKSUM_AT_END.exec(whole);
  if (last !== null) return `${whole.slice(0, last.index)}}`;
  return JSON.stringify({ ...document, checksum: undefined });
}

function understand<T>(bytes: Buffer, schema: v.GenericSchema<unknown, T>, details: ErrorDetails): T {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw damaged(details, 'it is not JSON', error);
  }
  if (typeof json !== 'object' || json === null) throw damaged(details, 'it is not an object');
  const { checksum, format } = json as Record<string, unknown>;
  if (checksum !== hash('sha256', contentOf(json), 'hex')) throw damaged(details, 'its checksum does not match');
  if (format !== FORMAT) {
    const has = `${details.path ?? 'document'} has format ${JSON.stringify(format)}`;
    throw new StoreError('UNKNOWN_FORMAT', `${has}; this program knows format ${FORMAT}`, details);
  }
  const parsed = v.safeParse(schema, json);
  if (!parsed.success) {
    const issue = parsed.issues[0];
    throw damaged(details, `${v.getDotPath(issue) ?? 'document'}: ${issue.message}`);
  }
  // The schema only checks. What it makes would cost as much again, and would lack the members that it does not know.
  return json as T;
}
