/**
 * The picture of a run: what was waiting is drawn as waiting.
 */
import { expect, it } from 'vitest';
import { run } from '../gpu/run.ts';
import { drawCase } from '../reference/case/draw-case.ts';
import { runSvg } from './commands/run-svg.ts';

it('draws a send that is blocked as waiting, in a label that can be read, and the rest as sending', async () => {
  const partition = { ranks: 2, q: [2, 2], kv: [2, 2] };
  const c = drawCase(1, { seq_q: 4, seq_kv: 4, partition });
  const how = { transport: 'simulated', device: 'reference', timing: true } as const;
  const { log } = await run(c, how);
  for (const { operation, at, waited } of log) {
    expect(waited === null).toBe(operation.op !== 'send');
    if (waited === null || at === null) continue;
    const times = [at[0], ...waited, at[1]];
    expect(times).toEqual([...times].sort((a, b) => a - b));
  }
  // One send of a second that is blocked for all of it but its last tenth, and nothing else.
  const one = log.find(({ operation }) => operation.op === 'send')!;
  const blocked = { ...one, at: [10, 11], waited: [10, 10.9] } as const;
  const svg = runSvg([blocked], { title: 'one', ranks: 2 });
  const widthOf = (lane: string) => [
    ...svg.matchAll(new RegExp(`<rect class="${lane}" x="70" y="78" width="([\\d.]+)"`, 'g')),
  ];
  expect(widthOf('wait').map(([, width]) => Number(width))).toEqual([900]);
  expect(svg).toMatch(/<rect class="send" x="970" y="96" width="100" /);
  expect(svg).toMatch(/<text class="on dark" [^>]*>[^<]+: until the channel is free<\/text>/);
});
