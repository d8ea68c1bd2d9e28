/**
 * Runs whose ranks are all served in this process, over sockets all the same.
 * @module
 */
import type { AttentionCase } from '../../reference/case/case.ts';
import { type RunResult, run } from '../run.ts';
import { serveRank } from '../transport/rank-server.ts';
import { freePort } from './free-port.ts';

/** How long what takes how long, milliseconds: a rank's waiting, the run's for its ranks, a rank's for the run. */
interface Limits {
  readonly timeoutMs: number;
  readonly startTimeoutMs: number;
  readonly connectTimeoutMs: number;
}

/** What a run comes to, once it and its ranks have ended. */
export async function settledHere(
  c: AttentionCase,
  { connectTimeoutMs, ...limits }: Limits,
): Promise<PromiseSettledResult<RunResult>> {
  const listen = { host: '127.0.0.1', port: await freePort(), token: 'of this run' };
  const ran = run(c, { transport: 'processes', device: 'reference', listen, ...limits });
  const ranks = c.parameters.partition.q.map(() => serveRank({ ...listen, connectTimeoutMs }));
  const [result] = await Promise.allSettled([ran, ...ranks]);
  return result;
}
