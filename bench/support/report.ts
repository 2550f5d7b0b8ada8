import * as os from 'node:os';
import type { Benchmark, Result, Row } from './benchmark.ts';

export interface Report {
  /** As it was typed, without paths. */
  command: string;
  /** Whether turns began with memory that had gone back to the host. */
  cold: boolean;
  fileSystem: string;
  parts: { benchmark: Benchmark; result: Result }[];
}

const HEAD: Row = { what: 'What', ours: 'Ours', peer: 'Peer', ratio: 'Ratio (min–max)', goal: 'Goal', verdict: '' };

const HOW = `Each ratio is our time divided by the peer's in the same round, so less than 1 is faster than the peer; the table
shows the median of all rounds and the least and the greatest. The sides take turns in one run, in alternating order. Before
each turn, for every side alike and outside of the time that is measured, \`sync\` writes out what is dirty.`;

const TOUCHED = `As much memory as the turn needs is touched and given back then, too: on a virtual machine that hands free
memory to its host, the first use of a page costs several times what writing it does, and whoever came first would pay.`;

const COLD = `The machine then rests for some seconds: a virtual machine hands its free memory to the host meanwhile, and each
side pays for getting back what it needs, as a first command on an idle machine does.`;

const LIMITS = 'Ratios carry over to other machines better than times do, and neither does exactly.';

/** The figures as aligned text. */
export function formatTable(rows: readonly Row[]): string {
  const table = [HEAD, ...rows].map(cellsOf);
  const width = (column: number): number => Math.max(...table.map((cells) => cells[column]?.length ?? 0));
  const lines = table.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(width(column)))
      .join('  ')
      .trimEnd(),
  );
  return lines.join('\n');
}

/** Cores, processor, Node and file system, in a line. */
export function describeMachine(fileSystem: string): string {
  const cores = os.cpus();
  const memory = Math.round(os.totalmem() / 1024 ** 3);
  return [
    `${cores.length} cores (${cores[0]?.model.trim() ?? 'unknown'})`,
    `${memory} GiB of memory`,
    `${os.type()} ${os.release()}`,
    `Node ${process.versions.node}`,
    fileSystem,
  ].join(', ');
}

/** The text of `docs/benchmarks.md`. */
export function formatDocument({ command, cold, fileSystem, parts }: Report): string {
  const sections = parts.map(({ benchmark, result }) => {
    const table = [HEAD, ...result.rows].map(markdownRow);
    table.splice(1, 0, '|---|---|---|---|---|---|');
    return [
      `## ${benchmark.title}`,
      ...(result.rows.length > 0 ? [table.join('\n')] : []),
      result.notes.map((note) => `- ${oneLine(note)}`).join('\n'),
    ].join('\n\n');
  });
  const intro = [
    '# Benchmarks',
    `Written by \`${command}\`; run it to have the figures of your machine.`,
    `Machine: ${describeMachine(fileSystem)}.`,
    oneLine(`${HOW} ${cold ? COLD : TOUCHED} ${LIMITS}`),
  ];
  return `${[...intro, ...sections].join('\n\n')}\n`;
}

function markdownRow(row: Row): string {
  return `| ${cellsOf(row)
    .map((cell) => cell.replaceAll('|', '\\|'))
    .join(' | ')} |`;
}

function cellsOf({ what, ours, peer, ratio, goal, verdict }: Row): string[] {
  return [what, ours, peer, ratio, goal, verdict];
}

/** A text that was broken into lines in the source, as one line. */
export function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ');
}
