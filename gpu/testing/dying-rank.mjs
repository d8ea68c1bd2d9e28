/**
 * A rank that connects like any other, and at a step of its list does what no rank should.
 * node dying-rank.mjs HOST PORT STEP die|stall|leave|compute: it is busy for longer than it waits for a word
 */
import { serveRank } from '../../dist/gpu/transport/rank-server.js';

const [host, port, step, how] = process.argv.slice(2);
await serveRank({
  host,
  port: Number(port),
  token: process.env.XATTN_TOKEN,
  ...(how === 'compute' ? { silenceMs: 1500 } : {}),
  onStep: (_, place) => {
    if (place.step !== Number(step)) return;
    if (how === 'leave') process.exit(3);
    if (how === 'compute') {
      for (const begun = Date.now(); Date.now() < begun + 4000; );
      return;
    }
    process.kill(process.pid, how === 'die' ? 'SIGKILL' : 'SIGSTOP');
  },
}).catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
});
process.exit();
