// Preloaded with `node --import`: at its end the process writes the most KiB it ever had resident to PEAK_MEMORY_FILE.
import { readFileSync, writeFileSync } from 'node:fs';

// On Linux, `resourceUsage().maxRSS` of a new process begins with what its parent had; `VmHWM` is its own.
function peakKibibytes() {
  try {
    const found = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
    if (found) return Number(found[1]);
  } catch {
    // Not Linux.
  }
  return process.resourceUsage().maxRSS;
}

process.on('exit', () => {
  const file = process.env.PEAK_MEMORY_FILE;
  if (file) writeFileSync(file, String(peakKibibytes()));
});
