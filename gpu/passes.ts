/**
 * The passes that a case asks for of a schedule, with the options that it has.
 * @module
 */
import { type AttentionCase, wantsGradients } from '../reference/case/case.ts';
import { emptyPairs } from './pairs.ts';
import type { PassOptions } from './run-options.ts';
import type { Schedule } from './schedule.ts';
import { SCHEDULES, type ScheduleName, SENDS_QUERIES } from './schedules/index.ts';
import type { LvXattnOptions } from './schedules/lv-xattn.ts';
import type { MakeSchedule } from './schedules/parts.ts';
import type { RingOptions } from './schedules/ring-attention.ts';
import type { UspOptions } from './schedules/ulysses.ts';

/** Who has which option, and whether it is asked for. */
const OPTIONS: readonly [
  option: string,
  schedules: readonly ScheduleName[],
  isAsked: (options: PassOptions) => boolean,
][] = [
  ['"sends" O', SENDS_QUERIES, ({ sends }) => sends === 'O'],
  ['"group"', ['usp'], ({ group }) => group !== undefined],
  ['"overlap" false', ['lv-xattn'], ({ overlap }) => overlap === false],
  ['"skipEmpty"', ['lv-xattn'], ({ skipEmpty }) => skipEmpty === true],
  ['"expanded"', ['ring-attention'], ({ expanded }) => expanded === true],
];

/** Throws RangeError where an option is asked for that the schedule lacks. */
export function checkPassOptions(name: ScheduleName, options: PassOptions): void {
  for (const [option, schedules, isAsked] of OPTIONS) {
    if (!isAsked(options) || schedules.includes(name)) continue;
    const expected = `${schedules.length > 1 ? 'one of' : 'the schedule'} ${schedules.join(', ')}`;
    throw new RangeError(`${option} expected ${expected}, got ${name}`);
  }
}

/** The passes that a case asks for: forward, and backward where it wants gradients. */
export function passesOf(
  attentionCase: AttentionCase,
  name: ScheduleName,
  asked: PassOptions = {},
): Schedule[] {
  const { parameters, inputs } = attentionCase;
  checkPassOptions(name, asked);
  const { sends = 'D', group, overlap = true, skipEmpty = false, expanded = false } = asked;
  const options: LvXattnOptions & RingOptions & UspOptions = {
    recompute: parameters.dim_y !== undefined,
    heads: parameters.heads,
    sends: sends === 'O' && inputs.d_lse !== undefined ? 'O, dLSE' : sends,
    ...(group === undefined ? {} : { group }),
    ...(overlap ? {} : { overlap }),
    ...(skipEmpty ? { isSkipped: emptyPairs(attentionCase) } : {}),
    ...(expanded ? { expanded } : {}),
  };
  const make: MakeSchedule<typeof options> = SCHEDULES[name];
  const forward = make(parameters.partition, 'forward', options);
  if (!wantsGradients(parameters)) return [forward];
  return [forward, make(parameters.partition, 'backward', options)];
}
