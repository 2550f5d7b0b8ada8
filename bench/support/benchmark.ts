/** What every measurement is told. */
export interface Setting {
  /** Folder for what the measurement writes; it may leave everything lying there. */
  folder: string;
  /** The project's own folder. */
  repository: string;
  /** Folder of an earlier checkout of the project, with its build in `dist/`, to compare with. */
  base: string | undefined;
  /** Size of the one large object. */
  mebibytes: number;
  /** Size of the sparse object whose memory is measured. */
  sparseMebibytes: number;
  /** Number of objects of a store that has many. */
  objects: number;
  /** Instead of the measurement's own number of rounds. */
  rounds: number | undefined;
  /** Whether turns begin with memory that a virtual machine has handed to its host, instead of memory in use. */
  cold: boolean;
  signal: AbortSignal;
}

/** One line of the table, as text. */
export interface Row {
  what: string;
  ours: string;
  peer: string;
  /** Median of the ratios of all rounds, ours to the peer's, with the least and the greatest. */
  ratio: string;
  goal: string;
  /** `left out` where what it is compared with is not there. */
  verdict: 'met' | 'not met' | 'left out' | '';
}

export interface Result {
  /** Empty where nothing could be measured; the notes say why. */
  rows: Row[];
  /** What is compared, a sentence or a few for each figure. */
  notes: string[];
}

export interface Benchmark {
  name: string;
  title: string;
  /** Whether it runs the compiled build. */
  compiled: boolean;
  run(setting: Setting): Promise<Result>;
}
