/**
 * How a schedule was asked for: what the command line gave, as the runner takes it, and in words.
 * @module
 */
import { checkPassOptions } from '../gpu/passes.ts';
import type { PassOptions } from '../gpu/run-options.ts';
import type { ScheduleName } from '../gpu/schedules/index.ts';

/** What the command line gives; commander has `overlap` true without `--no-overlap`. */
export interface PassChoice {
  sends?: 'D' | 'O';
  group?: number;
  overlap?: boolean;
  skipEmpty?: true;
  expanded?: true;
}

/** What was asked for. Throws RangeError where the schedule lacks it. */
export function passesAsked(name: ScheduleName, choice: PassChoice): PassOptions {
  const { sends = 'D', group, overlap = true, skipEmpty = false, expanded = false } = choice;
  const asked = { sends, overlap, skipEmpty, expanded };
  const options = group === undefined ? asked : { ...asked, group };
  checkPassOptions(name, options);
  return options;
}

/** In words, after the schedule's name; nothing where nothing was asked for. */
export function passesInWords({ group, overlap, skipEmpty, expanded }: PassOptions): string {
  const words = [
    ...(group === undefined ? [] : [`in groups of ${group}`]),
    ...(overlap === false ? ['without overlap'] : []),
    ...(skipEmpty ? ['without empty pairs'] : []),
    ...(expanded ? ['heads expanded'] : []),
  ];
  return words.length === 0 ? '' : ` (${words.join(', ')})`;
}
