import * as v from 'valibot';
import type { DocumentKind } from './copies.ts';
import { FORMAT, seal, versionSchema, type VersionedDocument } from './document.ts';

/** The name that a horizon carries, because a store has one. */
const NAME = 'horizon';

const horizonSchema = v.object({
  format: v.literal(FORMAT),
  horizon: v.literal(true),
  version: versionSchema,
  checksum: v.string(),
});

/** A `horizon.json`: no version of the store that has been minted is later than its own. */
export interface Horizon extends VersionedDocument {
  horizon: true;
}

export function makeHorizon(version: string): Horizon {
  return seal({ format: FORMAT, horizon: true as const, version });
}

/** How to find and recognise the horizon on a disk. */
export const horizonKind: DocumentKind<Horizon> = {
  path: 'horizon.json',
  within: '.',
  schema: horizonSchema,
  name: NAME,
  nameOf: () => NAME,
};
