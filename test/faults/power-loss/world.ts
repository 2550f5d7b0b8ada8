/** What a command does to a store, when it is done. */
export interface Effect {
  /** Objects in the bucket, by key; undefined where one is deleted. */
  objects?: Record<string, Buffer | undefined>;
  buckets?: Record<string, boolean>;
  /** The names of the store's disks from then on. */
  disks?: readonly string[];
  /** A disk that was lost, and is there again. */
  replaces?: string;
}

/** What may be found in a store: for everything the states that are allowed, one where it is certain. */
export class World {
  readonly objects: ReadonlyMap<string, readonly (Buffer | undefined)[]>;
  readonly buckets: ReadonlyMap<string, readonly boolean[]>;
  /** Possible sets of disks; with none of them, there may be no store. */
  readonly disks: readonly (readonly string[])[];
  /** Disks that may be away. */
  readonly lost: ReadonlySet<string>;
  /** Objects that a command has acknowledged: they must be as they are on enough disks. */
  readonly acknowledged: ReadonlySet<string>;

  private constructor(world: Pick<World, 'objects' | 'buckets' | 'disks' | 'lost' | 'acknowledged'>) {
    this.objects = world.objects;
    this.buckets = world.buckets;
    this.disks = world.disks;
    this.lost = world.lost;
    this.acknowledged = world.acknowledged;
  }

  /** What is there for certain. */
  static of({ objects = {}, buckets = {}, disks = [] }: Effect, lost: readonly string[] = []): World {
    return new World({
      objects: new Map(Object.entries(objects).map(([key, bytes]) => [key, [bytes]])),
      buckets: new Map(Object.entries(buckets).map(([bucket, isThere]) => [bucket, [isThere]])),
      disks: [disks],
      lost: new Set(lost),
      acknowledged: new Set(),
    });
  }

  /** While a command is under way, or if it has died: each thing is as before or as the command makes it. */
  during({ objects = {}, buckets = {}, disks }: Effect): World {
    return new World({
      objects: both(this.objects, objects, undefined),
      buckets: both(this.buckets, buckets, false),
      disks: disks === undefined ? this.disks : [...this.disks, disks],
      lost: this.lost,
      acknowledged: new Set([...this.acknowledged].filter((key) => !(key in objects))),
    });
  }

  /** When the command is done. */
  after({ objects = {}, buckets = {}, disks, replaces }: Effect): World {
    return new World({
      objects: new Map([...this.objects, ...Object.entries(objects).map(([key, bytes]) => [key, [bytes]] as const)]),
      buckets: new Map([
        ...this.buckets,
        ...Object.entries(buckets).map(([bucket, isThere]) => [bucket, [isThere]] as const),
      ]),
      disks: disks === undefined ? this.disks : [disks],
      lost: new Set([...this.lost].filter((name) => name !== replaces)),
      acknowledged: new Set([...this.acknowledged, ...Object.keys(objects)]),
    });
  }

  get mayHaveNoStore(): boolean {
    return this.disks.some((names) => names.length === 0);
  }
}

function both<T>(
  known: ReadonlyMap<string, readonly T[]>,
  more: Record<string, T>,
  otherwise: T,
): Map<string, readonly T[]> {
  const result = new Map(known);
  for (const [name, state] of Object.entries(more)) result.set(name, [...(known.get(name) ?? [otherwise]), state]);
  return result;
}
