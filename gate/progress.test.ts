import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { progressBar } from './progress.ts';

/** What a progress bar writes to a stream that is, or is not, a terminal. */
function written(isTTY: boolean): string {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 80, clearLine: () => {} });
  Object.assign(stream, { cursorTo: () => {}, moveCursor: () => {}, clearScreenDown: () => {} });
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  const bar = progressBar(8, stream as unknown as NodeJS.WriteStream);
  bar.update(3, 8, 1);
  bar.stop();
  return Buffer.concat(chunks).toString();
}

describe('the progress bar', () => {
  it('is on a terminal only', () => {
    expect(written(false)).toBe('');
    expect(written(true)).toContain('/8 cases');
  });
});
