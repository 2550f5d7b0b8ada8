import type { HealthReport, ObjectHealth, Problem, UnreadableFolder } from '../../index.ts';
import { EXIT } from './exit-codes.ts';
import { formatBytes, formatDuration, formatRate, plural, printable, speedOf } from './format.ts';
import type { Io } from './io.ts';
import { LaterLines } from './later-lines.ts';

/** Files, ranges of bytes and groups of problems that are shown of an object; where there are more, their number. */
const SHOWN_NAMES = 3;
const SHOWN_RANGES = 8;
const SHOWN_GROUPS = 12;

const STATE_WIDTH = 'degraded'.length;

export interface HealthFormat {
  json: boolean;
  /** Nothing was read, only looked for. */
  quick: boolean;
}

/** Tells of objects as they are looked at: with JSON of each, otherwise of those not whole; and in the end of all. */
export class HealthPrinter {
  readonly #io: Io;
  readonly #format: HealthFormat;
  readonly #lines: LaterLines;
  readonly #began = performance.now();

  constructor(io: Io, format: HealthFormat) {
    this.#io = io;
    this.#format = format;
    this.#lines = new LaterLines(io);
  }

  readonly object = async (health: ObjectHealth): Promise<void> => {
    const { stdout } = this.#io;
    if (this.#format.json) {
      await stdout.json({ type: 'object', ...health });
    } else if (health.state !== 'whole') {
      const text = (await this.#describe(health)).join('\n');
      await this.#lines.add(() => stdout.line(text));
    }
  };

  /** Writes what had to wait for the end of the bar. */
  flush(): Promise<void> {
    return this.#lines.flush();
  }

  /** The last line. @param more members of it with JSON */
  async total(report: HealthReport, more: object = {}): Promise<void> {
    const milliseconds = performance.now() - this.#began;
    if (this.#format.json) {
      await this.#io.stdout.json({ type: 'total', ...report, ...more, ...speedOf(report.bytes, milliseconds) });
    } else {
      for (const line of describeUnreadable(report.unreadable)) await this.#io.stdout.line(line);
      await this.#io.stdout.line(formatTotal(report, this.#format.quick, milliseconds));
    }
  }

  async #describe(health: ObjectHealth): Promise<string[]> {
    const [head, ...rest] = describeHealth(health);
    if (!this.#io.stdout.isTerminal || head === undefined) return [head ?? '', ...rest];
    const { default: chalk } = await import('chalk');
    const colour = health.state === 'lost' ? 'red' : 'yellow';
    return [chalk[colour](head.slice(0, STATE_WIDTH)) + head.slice(STATE_WIDTH), ...rest];
  }
}

/** Done only if all is whole, and all of it has been seen. */
export function healthExitCode({ degraded, lost, buckets, unreadable }: HealthReport): number {
  return degraded + lost + buckets + unreadable.length === 0 ? EXIT.done : EXIT.unavailable;
}

/** An object in a few lines: how it is, and what is wrong on which disk. */
export function describeHealth(health: ObjectHealth): string[] {
  const { bucket, key, state, survives } = health;
  const end = state === 'lost' ? describeLoss(health) : `survives ${survives} more`;
  const groups = groupProblems(health.problems);
  const more = groups.length - SHOWN_GROUPS;
  const name = printable(bucket === '' ? 'the horizon of the store' : `${bucket}/${key}`);
  return [
    `${state.padEnd(STATE_WIDTH)}  ${name}${state === 'whole' ? '' : `  ${end}`}`,
    ...groups.slice(0, SHOWN_GROUPS).map((line) => `  ${line}`),
    ...(more > 0 ? [`  … and ${more} more groups of problems`] : []),
  ];
}

/** Which folder of which disk cannot be listed, and why. */
function describeUnreadable(folders: readonly UnreadableFolder[]): string[] {
  const more = folders.length - SHOWN_GROUPS;
  return [
    ...folders
      .slice(0, SHOWN_GROUPS)
      .flatMap(({ disk, path, reason }) => [
        `${'folder'.padEnd(STATE_WIDTH)}  ${printable(path)}  ${disk} cannot read it`,
        `  ${printable(reason)}`,
      ]),
    ...(more > 0 ? [`… and ${more} more folders that cannot be read`] : []),
  ];
}

function describeLoss({ lost }: ObjectHealth): string {
  if (lost.length === 0) return 'its meta cannot be read';
  const ranges = lost.slice(0, SHOWN_RANGES).map(({ from, to }) => `${from}-${to - 1}`);
  const more = lost.length - ranges.length;
  return `bytes ${ranges.join(', ')}${more > 0 ? ` and ${plural(more, 'more range')}` : ''}`;
}

/** A line for each disk and state: a disk that is gone is one thing that is wrong, however many chunks were on it. */
function groupProblems(problems: readonly Problem[]): string[] {
  const groups = new Map<string, Problem[]>();
  for (const problem of problems) {
    const name = `${problem.disk} ${problem.state}`;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [problem]);
    else group.push(problem);
  }
  return [...groups.values()].map((group) => {
    // Of `chunks/<hh>/<id>.000000.chunk`, what is behind the id: `stat` shows where an object's files are.
    const files = group.filter(({ part }) => part !== 'meta').map(({ path }) => path.slice(path.indexOf('.') + 1));
    const names = files.slice(0, SHOWN_NAMES);
    const rest = files.length > names.length ? ', …' : '';
    const detail = names.length === 0 ? '' : ` (${names.join(', ')}${rest})`;
    const [{ disk, state } = { disk: '', state: '' }] = group;
    return printable(`${disk === '' ? '' : `${disk}: `}${countParts(group)} ${state}${detail}`);
  });
}

/** `2 chunks, 1 parity chunk and the meta` */
function countParts(problems: readonly Problem[]): string {
  const count = (part: Problem['part']): number => problems.filter((problem) => problem.part === part).length;
  const parts: string[] = [];
  if (count('chunk') > 0) parts.push(plural(count('chunk'), 'chunk'));
  if (count('parity') > 0) parts.push(plural(count('parity'), 'parity chunk'));
  if (count('meta') > 0) parts.push('the meta');
  const last = parts.pop() ?? '';
  return parts.length === 0 ? last : `${parts.join(', ')} and ${last}`;
}

function formatTotal(
  { objects, whole, degraded, lost, buckets, bytes, unreadable }: HealthReport,
  quick: boolean,
  milliseconds: number,
): string {
  const counts = [
    `${whole} whole`,
    `${degraded} degraded`,
    `${lost} lost`,
    ...(buckets === 0 ? [] : [`${plural(buckets, 'document')} of buckets or the store not whole`]),
    ...(unreadable.length === 0 ? [] : [`${plural(unreadable.length, 'folder')} unreadable`]),
  ].join(', ');
  const done = quick ? `looked for ${formatBytes(bytes)}, read nothing` : `${formatBytes(bytes)} checked`;
  const rate = quick ? '' : `  ${formatRate(bytes, milliseconds)}`;
  return `${plural(objects, 'object')}: ${counts}  ${done}  ${formatDuration(milliseconds)}${rate}`;
}
