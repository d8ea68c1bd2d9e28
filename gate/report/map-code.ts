/**
 * A fraction of the bound as a byte, for maps: 0 = nothing is asked, 1 = exact, 255 = not finite;
 * between them eight steps an octave, 128 = the bound, and never on the wrong side of it.
 * @module
 */
export const [NOT_ASKED, EXACT, AT_BOUND, NOT_FINITE] = [0, 1, 128, 255];
const STEPS = 8;

export function mapCode(fraction: number): number {
  if (Number.isNaN(fraction)) return NOT_ASKED;
  if (fraction === 0) return EXACT;
  if (!Number.isFinite(fraction)) return NOT_FINITE;
  const code = Math.round(AT_BOUND + STEPS * Math.log2(fraction));
  const [least, most] = fraction > 1 ? [AT_BOUND + 1, NOT_FINITE - 1] : [EXACT + 1, AT_BOUND];
  return Math.min(most, Math.max(least, code));
}

/** The fraction that a byte between 2 and 254 stands for, to 5 %. */
export const fractionOf = (code: number): number => 2 ** ((code - AT_BOUND) / STEPS);

/** Colours of maps, with the largest byte of each: blue within the bound, orange and red beyond it. */
export const BINS = [
  { most: NOT_ASKED, color: '#9aa0a6', label: 'not asked' },
  { most: EXACT, color: '#dde8f2', label: 'exact' },
  { most: AT_BOUND - 2 * STEPS, color: '#a6c8e6', label: 'up to 1/4' },
  { most: AT_BOUND, color: '#4f8fc4', label: 'up to the bound' },
  { most: AT_BOUND + STEPS, color: '#f5c26b', label: 'up to 2 times' },
  { most: AT_BOUND + 4 * STEPS, color: '#e8803a', label: 'up to 16 times' },
  { most: NOT_FINITE - 1, color: '#b3261e', label: 'more than 16 times' },
  { most: NOT_FINITE, color: '#5b1270', label: 'no bound allows it' },
] as const;

export const binOf = (code: number): number => BINS.findIndex(({ most }) => code <= most);

/** A fraction with three digits. */
export function spoken(fraction: number): string {
  if (!Number.isFinite(fraction)) return Number.isNaN(fraction) ? 'not judged' : '∞';
  return fraction !== 0 && (fraction < 1e-3 || fraction >= 1e5)
    ? fraction.toExponential(2)
    : String(Number(fraction.toPrecision(3)));
}
