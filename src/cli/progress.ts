import type { Output } from './io.ts';
import { formatBytes } from './format.ts';

/** Shows how much of the bytes has been done. */
export interface Progress {
  add: (bytes: number) => void;
  stop: () => void;
}

/** A bar on a terminal; elsewhere, or when told to be quiet, nothing. @param total Bytes to come, if known. */
export async function startProgress(stderr: Output, label: string, total: number | undefined, quiet: boolean): Promise<Progress> {
  if (quiet || !stderr.isTerminal) return { add: () => undefined, stop: () => undefined };
  const { default: cliProgress } = await import('cli-progress');
  const format = total === undefined ? '{label} {done}' : '{label} {bar} {percentage}%  {done} of {all}  {eta_formatted}';
  const bar = new cliProgress.SingleBar(
    { stream: stderr.stream, format, clearOnComplete: true, hideCursor: true, etaBuffer: 100 },
    cliProgress.Presets.shades_classic,
  );
  const all = total === undefined ? '' : formatBytes(total);
  let done = 0;
  bar.start(total === undefined || total === 0 ? 1 : total, 0, { label, done: formatBytes(0), all });
  return {
    add: (bytes) => {
      done += bytes;
      bar.update(total === undefined ? 0 : done, { label, done: formatBytes(done), all });
    },
    stop: () => {
      bar.stop();
    },
  };
}
