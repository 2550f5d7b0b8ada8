import { randomInt } from 'node:crypto';
import { UUID, uuidv7 } from 'uuidv7';

const VERSION = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** The year 6429: a time beyond it is damage, and at the end of the 48 bits no later version could be minted. */
const LATEST_TIME = 2 ** 47;

/**
 * A new version id: UUIDv7 (RFC 9562), so that versions sort by time as text. With `after`, it is later than that one
 * even where the clock has gone back since.
 */
export function mintVersion(after?: string): string {
  const fresh = uuidv7();
  if (after === undefined || fresh > after) return fresh;
  return UUID.fromFieldsV7(versionTime(after) + 1, randomInt(2 ** 12), randomInt(2 ** 30), randomInt(2 ** 32)).toString();
}

export function isVersion(text: string): boolean {
  return VERSION.test(text) && versionTime(text) < LATEST_TIME;
}

/** Milliseconds since 1970 at which the version was minted. */
export function versionTime(version: string): number {
  return Number.parseInt(version.slice(0, 8) + version.slice(9, 13), 16);
}
