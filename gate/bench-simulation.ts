/**
 * `npm run bench:simulation`: JSON lines. How long a layer takes to simulate, forward and backward,
 * schedules made and run on the clock: 1,024 ranks on 128 nodes, of uneven blocks.
 *
 *   node dist/gate/bench-simulation.js [--ranks N] [--schedule NAME]
 * @module
 */
import { parseArgs } from 'node:util';
import { CLUSTERS } from '../gpu/costs/clusters.ts';
import { MODELS } from '../gpu/costs/models.ts';
import { SCHEDULE_NAMES } from '../gpu/schedules/index.ts';
import { simulateLayer } from '../gpu/simulation/layer.ts';

const { values: given } = parseArgs({
  options: {
    ranks: { type: 'string', default: '1024' },
    schedule: { type: 'string', default: 'lv-xattn' },
  },
});
const schedule = SCHEDULE_NAMES.find((name) => name === given.schedule);
if (schedule === undefined) {
  throw new RangeError(`"--schedule" expected ${SCHEDULE_NAMES.join(', ')}, got ${given.schedule}`);
}
const [model, base] = [MODELS[0], CLUSTERS[0]];
if (model === undefined || base === undefined) throw new Error('there are presets');
const cluster = { ...base, name: 'bench', ranks: Number(given.ranks), ranks_per_node: 8 };
const setting = { model, cluster, seq_q: 9 * cluster.ranks - 5, seq_kv: 6404 * cluster.ranks + 11 };
const [begin, cpu] = [performance.now(), process.cpuUsage()];
const { forward, backward } = simulateLayer(schedule, setting, { recompute: true });
const { user, system } = process.cpuUsage(cpu);
console.log(
  JSON.stringify({
    ...{ bench: 'simulate-layer', schedule, ranks: cluster.ranks },
    seconds: (performance.now() - begin) / 1000,
    /** Of all of this process's threads together, the garbage collector's too. */
    cpu_seconds: (user + system) / 1e6,
    peak_bytes: process.resourceUsage().maxRSS * 1024,
    simulated_s: { forward: forward.seconds, backward: backward.seconds },
  }),
);
