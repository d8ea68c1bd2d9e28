/**
 * `npm run power [-- --brief | --quick] [-- NAME...]`: judges every fault of the zoo (or those named) by
 * the suite `core`, prints JSON lines, and, when all were judged, writes the table
 * properties/zoo/README.md; then how honest candidates fare on random cases, and how fast small cases are
 * judged. With `--brief` a fault is asked the basic and the feature cases, and then on
 * until its first refusal; with `--quick` until its first refusal only, and no table is written. Exit
 * status 1 when a fault passes that is not listed as one that cannot be seen, or honest work is refused.
 * @module
 */
import { existsSync, writeFileSync } from 'node:fs';
import { Option } from 'commander';
import { measurePeace, peaceLine } from '../properties/honest/peace.ts';
import { profileOf } from '../properties/zoo/fault.ts';
import { loadFault, loadZoo } from '../properties/zoo/zoo.ts';
import { PROFILE_NAMES } from '../reference/bounds/lemmas/profile.ts';
import { profileFrom } from '../reference/bounds/lemmas/profile-options.ts';
import { gateSpeedLine } from './bench/gate-speed.ts';
import { benchWords } from './bench/options.ts';
import {
  type FaultPower,
  PROFILE_DTYPE,
  type ProfilePeace,
  powerAt,
  type Thoroughness,
} from './power/measure.ts';
import { powerTable } from './power/table.ts';
import { suite } from './suite.ts';

const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

function lineOf({ fault, ...power }: FaultPower): object {
  const { seams: _, ...known } = fault;
  const finite = (kill: FaultPower['first']) =>
    kill === null
      ? null
      : { ...kill, deviation: Number.isFinite(kill.deviation) ? kill.deviation : 'infinite' };
  return {
    power: known.name,
    ...known,
    ...power,
    first: finite(power.first),
    strongest: finite(power.strongest),
  };
}

const SEED = 1;
const RUNS = 1000;

/** Random honest candidates at every profile, and the gate's speed on one thread. Was anyone refused? */
async function peaceAndSpeed(): Promise<boolean> {
  let refused = false;
  for (const profile of PROFILE_NAMES) {
    const peace = measurePeace(profile, { runs: RUNS, seed: SEED });
    process.stdout.write(`${peaceLine(peace)}\n`);
    refused ||= peace.refused !== null;
  }
  for (const profile of ['f32', 'f64'] as const) print(await gateSpeedLine(profile, SEED));
  return refused;
}

async function main(names: readonly string[], thoroughness: Thoroughness): Promise<number> {
  const faults = names.length === 0 ? await loadZoo() : await Promise.all(names.map(loadFault));
  const powers: FaultPower[] = [];
  const peaces: ProfilePeace[] = [];
  const declared = new Set([...PROFILE_NAMES, ...faults.map(profileOf)]);
  for (const profile of declared) {
    const begin = performance.now();
    const measured = powerAt(
      profile,
      faults,
      suite('core', PROFILE_DTYPE[profileFrom(profile).base], { seed: 1 }),
      thoroughness,
    );
    for (const power of measured.powers) print(lineOf(power));
    print({ peace: profile, ...measured.peace, seconds: (performance.now() - begin) / 1000 });
    powers.push(...measured.powers);
    peaces.push(measured.peace);
  }
  const unexpected = powers.filter(
    ({ fault, killedBy }) => killedBy === 0 && fault.unseen === undefined,
  );
  const refused = peaces.reduce((sum, peace) => sum + peace.refused, 0);
  print({
    power: 'all',
    faults: powers.length,
    refused: powers.filter(({ killedBy }) => killedBy > 0).length,
    passed: powers.filter(({ killedBy }) => killedBy === 0).map(({ fault }) => fault.name),
    passed_without_reason: unexpected.map(({ fault }) => fault.name),
    honest_refused: refused,
  });
  const refusedAtRandom = names.length === 0 && (await peaceAndSpeed());
  const page = new URL('../../properties/zoo/README.md', import.meta.url);
  if (names.length === 0 && thoroughness !== 'quick' && existsSync(new URL('.', page))) {
    writeFileSync(page, powerTable(powers, peaces, 'core', thoroughness));
  }
  return unexpected.length === 0 && refused === 0 && !refusedAtRandom ? 0 : 1;
}

const { words, options } = benchWords<{ brief?: true; quick?: true }>(
  'power',
  'Judge every fault of the zoo, or those named, by the suite core: JSON lines, and the table of the zoo.',
  (command) =>
    command
      .argument('[faults...]', 'faults by name (default: all)')
      .option('--brief', 'basic and feature cases of each, and then on until its first refusal')
      .addOption(
        new Option('--quick', 'until the first refusal; writes no table').conflicts('brief'),
      ),
);
process.exit(await main(words, options.quick ? 'quick' : options.brief ? 'brief' : 'all'));
