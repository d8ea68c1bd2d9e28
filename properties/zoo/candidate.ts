#!/usr/bin/env node
/**
 * A fault of the zoo as a candidate of protocol 1, to try the gate and the fuzzer on:
 *
 *     npx xattn gate --suite core --candidate 'node dist/properties/zoo/candidate.js --fault phantom-key'
 *
 * `--fault none` is the honest host, at `--profile NAME` (default f32); `--only merge` claims merges of given
 * parts alone; `--list` names every fault.
 * @module
 */
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { PROFILE_NAMES, type ProfileName } from '../../reference/bounds/lemmas/profile.ts';
import type { ProfileText } from '../../reference/bounds/lemmas/profile-options.ts';
import { DTYPES } from '../../reference/case/case.ts';
import { FEATURE_WORDS, OP_WORDS } from '../../reference/case/features.ts';
import { readCase, writeOutputs } from '../../reference/files/case-folder.ts';
import { faultyHost, profileOf } from './fault.ts';
import { type Host, honestHost } from './host.ts';
import { loadFault, loadZoo } from './zoo.ts';

const say = (message: object): void => void process.stdout.write(`${JSON.stringify(message)}\n`);

function profileNamed(name: string): ProfileName {
  const profile = PROFILE_NAMES.find((one) => one === name);
  if (profile === undefined) {
    throw new RangeError(`"profile" expected one of ${PROFILE_NAMES.join(' ')}, got ${name}`);
  }
  return profile;
}

async function hostNamed(
  fault: string,
  profile: string,
): Promise<{ host: Host; profile: ProfileText }> {
  if (fault === 'none') {
    const named = profileNamed(profile);
    return { host: honestHost(named), profile: named };
  }
  const found = await loadFault(fault);
  return { host: faultyHost(found), profile: profileOf(found) };
}

/** Answers until standard input closes. */
async function serve(fault: string, given: string, only: string | undefined): Promise<void> {
  const { host, profile } = await hostNamed(fault, given);
  const words = [...FEATURE_WORDS, ...OP_WORDS];
  const supports = [...(only === undefined ? words : [only, 'poison']), ...DTYPES];
  say({ xattn: 1, name: `zoo: ${fault}`, supports, profile });
  for await (const line of createInterface({ input: process.stdin })) {
    const { case: folder } = JSON.parse(line) as { case: string };
    writeOutputs(folder, host(readCase(folder)), 'F64');
    say({ case: folder, status: 'ok' });
  }
}

const { values } = parseArgs({
  options: {
    fault: { type: 'string', default: 'none' },
    profile: { type: 'string', default: 'f32' },
    only: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
});
if (values.list) {
  for (const { name, wrong } of await loadZoo()) process.stdout.write(`${name}: ${wrong}\n`);
} else {
  await serve(values.fault, values.profile, values.only);
}
