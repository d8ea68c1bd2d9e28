/**
 * `npm run bench:simulation`: JSON lines, one a schedule. How long a layer takes to simulate, forward
 * and backward, schedules made and run on the clock: 1,024 ranks on 128 nodes, of uneven blocks. Each
 * in a process of its own, so that none finds another one's memory.
 *
 *   node dist/gate/bench/simulation.js [--ranks N] [--schedule NAME]
 * @module
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Option } from 'commander';
import { CLUSTERS } from '../../gpu/costs/clusters.ts';
import { MODELS } from '../../gpu/costs/models.ts';
import { DEALS_HEADS, SCHEDULE_NAMES, type ScheduleName } from '../../gpu/schedules/index.ts';
import { simulateLayer } from '../../gpu/simulation/layer.ts';
import { positiveNumber } from '../commands/options.ts';
import { benchOptions } from './options.ts';

const given = benchOptions<{ ranks: number; schedule?: ScheduleName }>(
  'bench:simulation',
  'How long a layer takes to simulate, under each schedule: JSON lines.',
  (command) =>
    command
      .option('--ranks <n>', 'ranks, eight a node', positiveNumber, 1024)
      .addOption(new Option('--schedule <name>', 'only this one').choices(SCHEDULE_NAMES)),
);

/** A layer as of the first preset, with a head for every rank where heads are dealt out. */
async function simulated(schedule: ScheduleName, ranks: number): Promise<object> {
  const [preset, base] = [MODELS[0], CLUSTERS[0]];
  if (preset === undefined || base === undefined) throw new Error('there are presets');
  const dealt = DEALS_HEADS.includes(schedule) ? { heads: ranks, kv_heads: ranks } : {};
  const model = { ...preset, ...dealt };
  const cluster = { ...base, name: 'bench', ranks, ranks_per_node: 8 };
  const setting = { model, cluster, seq_q: 9 * ranks - 5, seq_kv: 6404 * ranks + 11 };
  const [begin, cpu] = [performance.now(), process.cpuUsage()];
  const { forward, backward } = await simulateLayer(schedule, setting, { recompute: true });
  const { user, system } = process.cpuUsage(cpu);
  return {
    ...{ bench: 'simulate-layer', schedule, ranks },
    seconds: (performance.now() - begin) / 1000,
    /** Of all of this process's threads together, the garbage collector's too. */
    cpu_seconds: (user + system) / 1e6,
    peak_bytes: process.resourceUsage().maxRSS * 1024,
    simulated_s: { forward: forward.seconds, backward: backward.seconds },
  };
}

if (given.schedule === undefined) {
  for (const name of SCHEDULE_NAMES) {
    const args = [
      fileURLToPath(import.meta.url),
      '--ranks',
      String(given.ranks),
      '--schedule',
      name,
    ];
    spawnSync(process.execPath, args, { stdio: 'inherit' });
  }
} else {
  console.log(JSON.stringify(await simulated(given.schedule, given.ranks)));
}
