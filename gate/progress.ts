/**
 * A progress bar on a terminal (standard error), and nothing anywhere else.
 * @module
 */
import { SingleBar } from 'cli-progress';

export interface Progress {
  update(done: number, total: number, failing: number): void;
  stop(): void;
}

const SILENT: Progress = { update: () => {}, stop: () => {} };

export function progressBar(total: number, stream: NodeJS.WriteStream = process.stderr): Progress {
  if (!stream.isTTY) return SILENT;
  const bar = new SingleBar({
    stream,
    format: '{bar} {value}/{total} cases, {failing} failing, {duration_formatted}',
    clearOnComplete: true,
    // A terminal that nothing was changed of needs no restoring, however the run ends.
    hideCursor: false,
    linewrap: true,
    gracefulExit: false,
  });
  bar.start(total, 0, { failing: 0 });
  return {
    update: (done, _total, failing) => bar.update(done, { failing }),
    stop: () => bar.stop(),
  };
}
