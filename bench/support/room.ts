import { lstatSync, readdirSync } from 'node:fs';
import * as path from 'node:path';

/** What files and folders take of a file system. */
export interface Room {
  inodes: number;
  /** All blocks that are allocated, as `du` counts them. */
  bytes: number;
}

export type Kind = 'metas' | 'chunks' | 'folders' | 'other files';

export type RoomByKind = Record<Kind, Room>;

/** What a store's folder takes, itself among its folders. What has just been written must have been synced, so that it has its blocks. */
export function roomOf(root: string): RoomByKind {
  const room: RoomByKind = {
    metas: { inodes: 0, bytes: 0 },
    chunks: { inodes: 0, bytes: 0 },
    folders: { inodes: 0, bytes: 0 },
    'other files': { inodes: 0, bytes: 0 },
  };
  const add = (file: string, kind: Kind): void => {
    room[kind].inodes++;
    room[kind].bytes += lstatSync(file).blocks * 512;
  };
  const visit = (folder: string): void => {
    add(folder, 'folders');
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const file = path.join(folder, entry.name);
      if (entry.isDirectory()) visit(file);
      else add(file, kindOf(entry.name));
    }
  };
  visit(root);
  return room;
}

export function total(room: RoomByKind): Room {
  const parts = Object.values(room);
  return {
    inodes: parts.reduce((sum, { inodes }) => sum + inodes, 0),
    bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

function kindOf(name: string): Kind {
  if (name.endsWith('.meta.json')) return 'metas';
  return /\.(chunk|parity\d+)$/.test(name) ? 'chunks' : 'other files';
}
