/**
 * `xattn rank`: serves as a rank of a run on another machine, or on this one.
 * @module
 */
import { RunFailed, serveRank } from '../../gpu/transport/rank-server.ts';
import { printable } from '../text.ts';

export interface RankCommandOptions {
  connect: { readonly host: string; readonly port: number };
  startTimeoutS: number;
  timeoutS: number;
}

const SENTENCE_LENGTH = 2000;

/** Serves until the run is over: 0; 3 where it failed. Throws RangeError where it is not let in. */
export async function rankCommand(options: RankCommandOptions): Promise<number> {
  const { connect, startTimeoutS, timeoutS } = options;
  const token = process.env.XATTN_TOKEN;
  if (token === undefined || token === '') {
    throw new RangeError(
      '"XATTN_TOKEN" expected the token that "xattn run --listen" has, got none',
    );
  }
  try {
    const [connectTimeoutMs, silenceMs] = [startTimeoutS * 1000, timeoutS * 1000];
    await serveRank({ ...connect, token, connectTimeoutMs, silenceMs });
    return 0;
  } catch (error) {
    const sentence = printable(
      error instanceof Error ? error.message : String(error),
      SENTENCE_LENGTH,
    );
    if (!(error instanceof RunFailed)) throw new RangeError(sentence);
    process.stderr.write(`xattn: ${sentence}\n`);
    return 3;
  }
}
