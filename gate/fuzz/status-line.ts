/**
 * One line on a terminal's standard error that says how a run is going, and nothing anywhere else.
 * @module
 */

const EVERY_MS = 100;

export interface StatusLine {
  show(judged: number, findings: number): void;
  clear(): void;
}

export function statusLine(stream: NodeJS.WriteStream): StatusLine {
  if (!stream.isTTY) return { show: () => {}, clear: () => {} };
  const begin = performance.now();
  let [last, shown] = [0, false];
  return {
    show(judged, findings) {
      const now = performance.now();
      if (now - last < EVERY_MS) return;
      const seconds = (now - begin) / 1000;
      const rate = (judged / Math.max(seconds, 0.1)).toFixed(0);
      stream.write(
        `\r\x1b[2K${judged} cases, ${rate} a second, ${findings} findings, ${seconds.toFixed(0)} s`,
      );
      [last, shown] = [now, true];
    },
    clear() {
      if (shown) stream.write('\r\x1b[2K');
      shown = false;
    },
  };
}
