/**
 * Runs over real sockets whose bytes are tampered with, and what must come of each.
 * @module
 */
import { Socket } from 'node:net';
import fc from 'fast-check';
import { drawCase } from '../../reference/case/draw-case.ts';
import { StepError } from '../interpreter.ts';
import { type RunResult, run } from '../run.ts';
import { settledHere } from './ranks-here.ts';

/** What is done to one write, of all that go over sockets in the order of time. */
export interface Tampering {
  readonly write: number;
  readonly how: 'flip' | 'lose' | 'repeat' | 'cut' | 'close';
  readonly at: number;
  readonly bit: number;
}

export const tamperingArbitrary: fc.Arbitrary<Tampering> = fc.record({
  write: fc.nat({ max: 160 }),
  how: fc.constantFrom('flip', 'flip', 'flip', 'lose', 'repeat', 'cut', 'close'),
  at: fc.nat(),
  bit: fc.nat({ max: 7 }),
});

const partition = { ranks: 2, q: [2, 1], kv: [1, 3] };
const attentionCase = drawCase(6, { seq_q: 3, seq_kv: 4, partition, sink: true });

/** Every rank in this process, over sockets all the same. */
async function runHere(): Promise<RunResult> {
  const limits = { timeoutMs: 400, startTimeoutMs: 1500, connectTimeoutMs: 1000 };
  const result = await settledHere(attentionCase, limits);
  if (result.status === 'rejected') throw result.reason;
  return result.value;
}

type Write = (this: Socket, chunk: Uint8Array) => boolean;

function changed(chunk: Uint8Array, { how, at, bit }: Tampering): Uint8Array {
  if (how === 'cut') return chunk.subarray(0, at % chunk.length);
  if (how === 'repeat') return Uint8Array.from([...chunk, ...chunk]);
  return chunk.map((byte, n) => (n === at % chunk.length ? byte ^ (1 << bit) : byte));
}

/** A run while one write is tampered with: 'right', or 'error'. Throws where it is neither. */
export async function endingOfTampering(
  tampering: Tampering,
  expected: RunResult,
): Promise<'right' | 'error'> {
  const write = Socket.prototype.write as Write;
  let writes = 0;
  Socket.prototype.write = function (this: Socket, chunk: Uint8Array) {
    if (this.remotePort === undefined || writes++ !== tampering.write)
      return write.call(this, chunk);
    if (tampering.how === 'lose') return true;
    if (tampering.how === 'close') {
      this.destroy();
      return false;
    }
    return write.call(this, changed(chunk, tampering));
  } as Socket['write'];
  const wrong = (what: unknown) => new Error(`${JSON.stringify(tampering)}: ${what}`);
  try {
    const { outputs } = await runHere();
    if (JSON.stringify(outputs) !== JSON.stringify(expected.outputs)) throw wrong('other numbers');
    return 'right';
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const isLate = /^expected 2 ranks to connect to 127\.0\.0\.1:\d+ within 1500 ms, got [01]/;
    if (!(error instanceof StepError) && !isLate.test(said)) throw wrong(said);
    return 'error';
  } finally {
    Socket.prototype.write = write as Socket['write'];
  }
}

/** What comes of it when nobody tampers, and how many writes that takes. */
export const untampered = (): Promise<RunResult> =>
  run(attentionCase, { transport: 'simulated', device: 'reference' });
