import type { Output } from './io.ts';
import { formatBytes, formatDuration, formatRate } from './format.ts';

/** Shows how much of the bytes has been done. */
export interface Progress {
  add: (bytes: number) => void;
  /** Tells how many bytes there are to do, once that is known. */
  setTotal: (bytes: number) => void;
  stop: () => void;
}

const NONE: Progress = { add: () => undefined, setTotal: () => undefined, stop: () => undefined };

const BAR_SIZE = 24;

/**
 * A bar on a terminal, with rate and time left; elsewhere, or when told to be quiet, nothing.
 * @param total bytes to come, if known
 */
export async function startProgress(
  stderr: Output,
  label: string,
  total: number | undefined,
  quiet: boolean,
): Promise<Progress> {
  if (quiet || !stderr.isTerminal) return NONE;
  const { default: cliProgress } = await import('cli-progress');
  let all = total;
  let done = 0;
  let began = performance.now();
  const format = (): string => formatProgress(label, done, all, performance.now() - began);
  const bar = new cliProgress.SingleBar({ stream: stderr.stream, format, clearOnComplete: true, hideCursor: true });
  // Without a total the bar must not look complete, which would end its redrawing.
  const limit = (): number => (all === undefined || all === 0 ? 1 : all);
  bar.start(limit(), 0);
  const update = (): void => {
    bar.update(all === undefined ? 0 : done);
  };
  return {
    add: (bytes) => {
      done += bytes;
      update();
    },
    setTotal: (bytes) => {
      all = bytes;
      // What came before was the looking.
      began = performance.now();
      bar.setTotal(limit());
      update();
    },
    stop: () => {
      bar.stop();
    },
  };
}

/** One line: `photo.jpg ████░░░░ 48%  1.2 GiB of 2.5 GiB  410 MiB/s  3.2 s left`. */
export function formatProgress(label: string, done: number, total: number | undefined, milliseconds: number): string {
  if (total === undefined && done === 0) return `${label}  …`;
  const rate = done === 0 ? '' : `  ${formatRate(done, milliseconds)}`;
  if (total === undefined) return `${label}  ${formatBytes(done)}${rate}`;
  // Others may add to what was counted before.
  const part = total === 0 ? 1 : Math.min(1, done / total);
  const full = Math.round(part * BAR_SIZE);
  const bar = '█'.repeat(full) + '░'.repeat(BAR_SIZE - full);
  const left = done === 0 || part === 1 ? '' : `  ${formatDuration((milliseconds * (1 - part)) / part)} left`;
  return `${label} ${bar} ${Math.floor(part * 100)}%  ${formatBytes(done)} of ${formatBytes(total)}${rate}${left}`;
}
