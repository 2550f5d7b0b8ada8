import {
  isVolatile,
  lastOf,
  ROOT_DEVICE,
  sync,
  type Content,
  type Fate,
  type File,
  type Folder,
  type NameChange,
  type Node,
} from './nodes.ts';
import type { Step } from './steps.ts';
import type { Tree } from './tree.ts';

/**
 * Files as POSIX promises them: the bytes of a file are durable after its fsync, and a name after an fsync of its folder; a
 * folder that starts with `disk` is a device of its own, and `syncfs` makes durable what is on one device.
 */
export class VolatileFiles {
  readonly #top: Folder = { kind: 'folder', device: ROOT_DEVICE, names: new Map() };
  readonly #nodes: Node[] = [this.#top];
  /** Where writes without a position go on, by descriptor. */
  readonly #offsets = new Map<string, { node: Node; offset: number; appends: boolean }>();
  readonly #store: string;

  /** Begins with what is durable. @param store the folder whose subfolders may be disks */
  constructor(durable: Tree, store: string) {
    this.#store = store;
    this.#fill(this.#top, durable, '');
  }

  apply(step: Step): void {
    switch (step.do) {
      case 'open':
        this.#open(step);
        return;
      case 'write':
        this.#write(step);
        return;
      case 'truncate': {
        const { bytes } = lastOf(this.#file(step.path).contents);
        this.#put(
          this.#file(step.path),
          step,
          Buffer.concat([bytes.subarray(0, step.size), Buffer.alloc(Math.max(0, step.size - bytes.length))]),
        );
        return;
      }
      case 'rename': {
        const added = this.#set(step.to, this.#find(step.path), step);
        this.#set(step.path, undefined, step, added);
        return;
      }
      case 'link':
        this.#set(step.to, this.#find(step.path), step);
        return;
      case 'symlink':
        this.#make(step.path, { kind: 'link', device: '', target: step.target }, step);
        return;
      case 'mkdir':
        this.#make(step.path, { kind: 'folder', device: '', names: new Map() }, step);
        return;
      case 'unlink':
      case 'rmdir':
        this.#set(step.path, undefined, step);
        return;
      case 'sync':
        sync(this.#find(step.path), step.began);
        return;
      case 'sync file system': {
        const { device } = this.#find(step.path);
        for (const node of this.#nodes) if (node.device === device) sync(node, step.began);
        return;
      }
      case 'sync all':
        for (const node of this.#nodes) sync(node, step.began);
        return;
      case 'print':
    }
  }

  /** What is there after the fate has struck. */
  build(fate: Fate): Tree {
    const counts = (change: NameChange): boolean =>
      (change.durable || fate.keeps(change)) && (change.needs === undefined || counts(change.needs));
    const buildFolder = (folder: Folder): Tree => {
      const tree: Tree = new Map();
      for (const [name, changes] of folder.names) {
        const node = changes.findLast(counts)?.node;
        if (node?.kind === 'folder') tree.set(name, buildFolder(node));
        else if (node?.kind === 'file') tree.set(name, fate.contentOf(node));
        else if (node !== undefined) tree.set(name, { target: node.target });
      }
      return tree;
    };
    return buildFolder(this.#top);
  }

  /** What a fate takes away, for people. */
  losses(fate: Fate): string[] {
    const losses = this.#nodes.flatMap((node): (NameChange | Content)[] => {
      if (node.kind === 'folder')
        return [...node.names.values()].flat().filter((change) => !change.durable && !fate.keeps(change));
      if (node.kind === 'file' && isVolatile(node) && fate.contentOf(node) !== lastOf(node.contents).bytes)
        return [lastOf(node.contents)];
      return [];
    });
    return [...new Set(losses.sort((a, b) => a.at - b.at).map(({ label }) => label))];
  }

  /** Devices on which something is not durable. */
  volatileDevices(): string[] {
    const isOpen = (node: Node): boolean =>
      node.kind === 'folder'
        ? [...node.names.values()].some((changes) => changes.some(({ durable }) => !durable))
        : node.kind === 'file' && isVolatile(node);
    return [...new Set(this.#nodes.filter(isOpen).map(({ device }) => device))];
  }

  #open(step: Step & { do: 'open' }): void {
    let node = this.#lookup(step.path);
    if (node === undefined) {
      if (!step.creates) throw new Error(`the model has no file ${step.path}`);
      node = this.#make(
        step.path,
        {
          kind: 'file',
          device: '',
          contents: [{ at: step.at, label: step.label, durable: true, bytes: Buffer.alloc(0) }],
        },
        step,
      );
    } else if (node.kind === 'file' && step.truncates && lastOf(node.contents).bytes.length > 0) {
      this.#put(node, step, Buffer.alloc(0));
    }
    this.#offsets.set(step.fd, { node, offset: 0, appends: step.appends });
  }

  #write(step: Step & { do: 'write' }): void {
    const file = this.#file(step.path);
    const { bytes } = lastOf(file.contents);
    const open = this.#offsets.get(step.fd);
    if (step.position === undefined && open?.node !== file)
      throw new Error(`the model does not know where ${step.label} goes on`);
    const position = step.position ?? (open?.appends === true ? bytes.length : (open?.offset ?? 0));
    if (step.position === undefined && open !== undefined) open.offset = position + step.bytes.length;
    const next = Buffer.alloc(Math.max(bytes.length, position + step.bytes.length));
    bytes.copy(next);
    step.bytes.copy(next, position);
    this.#put(file, step, next);
  }

  #put(file: File, { at, label }: Step, bytes: Buffer): void {
    file.contents.push({ at, label, durable: false, bytes });
  }

  #make(path: string, node: Node, step: Step): Node {
    const { folder, name } = this.#split(path);
    node.device = isDisk(path, this.#store) && node.kind === 'folder' ? name : folder.device;
    this.#nodes.push(node);
    this.#set(path, node, step);
    return node;
  }

  #set(path: string, node: Node | undefined, { at, label }: Step, needs?: NameChange): NameChange {
    const { folder, name } = this.#split(path);
    const change: NameChange = {
      at,
      label,
      durable: false,
      device: folder.device,
      folder,
      name,
      node,
      ...(needs === undefined ? {} : { needs }),
    };
    const changes = folder.names.get(name);
    if (changes === undefined) folder.names.set(name, [change]);
    else changes.push(change);
    return change;
  }

  #split(path: string): { folder: Folder; name: string } {
    const at = path.lastIndexOf('/');
    const folder = at === -1 ? this.#top : this.#find(path.slice(0, at));
    if (folder.kind !== 'folder') throw new Error(`in the model ${path} is in no folder`);
    return { folder, name: path.slice(at + 1) };
  }

  #lookup(path: string): Node | undefined {
    let node: Node | undefined = this.#top;
    for (const name of path === '.' ? [] : path.split('/')) {
      if (node?.kind !== 'folder') return undefined;
      node = node.names.get(name)?.at(-1)?.node;
    }
    return node;
  }

  #find(path: string): Node {
    const node = this.#lookup(path);
    if (node === undefined) throw new Error(`the model has no ${path}`);
    return node;
  }

  #file(path: string): File {
    const node = this.#find(path);
    if (node.kind !== 'file') throw new Error(`in the model ${path} is no file`);
    return node;
  }

  #fill(folder: Folder, tree: Tree, above: string): void {
    for (const [name, content] of tree) {
      const path = `${above}${name}`;
      const device = isDisk(path, this.#store) ? name : folder.device;
      let node: Node;
      if (content instanceof Map) node = { kind: 'folder', device, names: new Map() };
      else if (Buffer.isBuffer(content))
        node = {
          kind: 'file',
          device: folder.device,
          contents: [{ at: -1, label: '', durable: true, bytes: content }],
        };
      else node = { kind: 'link', device: folder.device, target: content.target };
      this.#nodes.push(node);
      folder.names.set(name, [{ at: -1, label: '', durable: true, device: folder.device, folder, name, node }]);
      if (content instanceof Map && node.kind === 'folder') this.#fill(node, content, `${path}/`);
    }
  }
}

function isDisk(path: string, store: string): boolean {
  return path.startsWith(`${store}/disk`) && !path.slice(store.length + 1).includes('/');
}
