/** A name that was set or, without a node, taken away, and whether a power loss can undo that. */
export interface NameChange {
  at: number;
  label: string;
  durable: boolean;
  device: string;
  folder: Folder;
  name: string;
  node: Node | undefined;
  /** The old name of a file that was renamed goes only where its new one is there. */
  needs?: NameChange;
}

/** Content that a file had from one moment on. */
export interface Content {
  at: number;
  label: string;
  durable: boolean;
  bytes: Buffer;
}

export interface Folder {
  kind: 'folder';
  device: string;
  names: Map<string, NameChange[]>;
}

export interface File {
  kind: 'file';
  device: string;
  contents: Content[];
}

export interface Link {
  kind: 'link';
  device: string;
  target: string;
}

export type Node = Folder | File | Link;

/** What becomes of that which is not durable. */
export interface Fate {
  keeps: (change: NameChange) => boolean;
  contentOf: (file: File) => Buffer;
}

/** Everything stays, as long as the power does. */
export const ALL_KEPT: Fate = { keeps: () => true, contentOf: (file) => lastOf(file.contents).bytes };

/** The device of whatever is on no disk: the store's own folder. */
export const ROOT_DEVICE = 'root';

/** Whether the last content of a file may be lost. */
export function isVolatile(file: File): boolean {
  return !lastOf(file.contents).durable;
}

/** Makes durable what had been done to a node before `began`. */
export function sync(node: Node, began: number): void {
  if (node.kind === 'link') return;
  const changes = node.kind === 'folder' ? [...node.names.values()].flat() : node.contents;
  for (const change of changes) if (change.at < began) change.durable = true;
}

/** @throws where there is nothing */
export function lastOf<T>(list: readonly T[]): T {
  const last = list.at(-1);
  if (last === undefined) throw new Error('there is nothing');
  return last;
}
