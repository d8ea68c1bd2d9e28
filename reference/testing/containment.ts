/**
 * Hostile cases for the balls, and the check that no ball of any system misses the truth.
 *
 * The truth is the definition over decimals (decimal.js) of 80 digits or more, independent of every
 * ball: one element outside its ball is an exception, and there may be none.
 * @module
 */

import type { AttentionCase, CaseInputs } from '../case/case.ts';
import { outputShape } from '../case/case-shapes.ts';
import { type CaseChanges, drawCase } from '../case/draw-case.ts';
import { evaluate } from '../definition/reference.ts';
import { big } from '../numbers/big.ts';
import { elementCount, mapTensor, type Tensor, toFlat } from '../numbers/tensor.ts';
import type { Level } from '../oracle/levels.ts';
import type { OpenElements } from '../oracle/open-elements.ts';
import { FEATURE_CASES } from './feature-cases.ts';

type Adjust = NonNullable<CaseChanges['adjust']>;

/** `inputs[name]` with `f` of every element and its position. */
function replace(
  inputs: CaseInputs,
  names: readonly (keyof CaseInputs)[],
  f: (x: number, n: number) => number,
): void {
  for (const name of names) {
    const tensor = inputs[name];
    if (tensor === undefined) continue;
    let n = 0;
    inputs[name] = mapTensor(tensor, (x) => (Number.isFinite(x) ? f(x, n++) : x)) as Tensor;
  }
}

/** Values that break careless radii: what each does is its name. */
export const HOSTILE: readonly (readonly [string, CaseChanges & { adjust?: Adjust }])[] = [
  ['as drawn', {}],
  ['scores of ±10⁴', { scale: 3000 }],
  ['scores of ±10⁸', { scale: 3e7 }],
  ['a tiny scale', { scale: 1e-200 }],
  [
    'a huge scale on tiny keys',
    {
      scale: 2 ** 500,
      adjust: (inputs) => replace(inputs, ['k', 'w_k'], (x) => x * 2 ** -500),
    },
  ],
  [
    'subnormal values',
    {
      adjust: (inputs) => replace(inputs, ['v', 'd_out', 'w_v'], (x) => x * 2 ** -1060),
    },
  ],
  [
    'huge values',
    {
      adjust: (inputs) => replace(inputs, ['v', 'w_v'], (x) => x * 2 ** 900),
    },
  ],
  [
    'cancellation in V',
    {
      adjust: (inputs) =>
        replace(inputs, ['v'], (x, n) => (n % 2 === 0 ? 1 : -1) * (1 + x * 2 ** -40)),
    },
  ],
  [
    'cancellation in dP − D',
    {
      adjust: (inputs) => replace(inputs, ['v'], (x, n) => 1 + (n % 3) + x * 2 ** -45),
    },
  ],
  ['equal scores', { adjust: (inputs) => replace(inputs, ['q', 'w_k'], () => 0) }],
];

/** Case `seed` of an endless list: features and hostile values take turns. */
export function hostileCase(seed: number, changes: CaseChanges = {}): [string, AttentionCase] {
  // Counted through, not drawn: a generator's first draw hardly differs between small seeds.
  const [feature, base] = FEATURE_CASES[seed % FEATURE_CASES.length] ?? ['plain', {}];
  const turn = seed + Math.floor(seed / FEATURE_CASES.length);
  const [hostile, twist] = HOSTILE[turn % HOSTILE.length] ?? ['as drawn', {}];
  const scale = twist.scale !== undefined && base.scale !== 0 ? { scale: twist.scale } : {};
  const adjust: Adjust = (inputs, parameters, below) => {
    base.adjust?.(inputs, parameters, below);
    twist.adjust?.(inputs, parameters, below);
  };
  const both = { ...base, ...scale, ...changes, dtype: 'f64' as const, adjust };
  return [`${feature}, ${hostile}, seed ${seed}`, drawCase(seed, both)];
}

/** What became of the elements of a case at one level. */
export interface Containment {
  readonly checked: number;
  /** Elements without a finite ball. */
  readonly unbounded: number;
  /** Sentences about every element that its ball misses. */
  readonly missed: string[];
}

/** Holds every element of the case to its ball at the level, against `digits` digits. */
export function containment(
  level: Level,
  attentionCase: AttentionCase,
  digits: number,
  truth = evaluate(big(digits), attentionCase),
): Containment {
  const system = big(digits);
  const open: OpenElements = new Map();
  const { wants } = attentionCase.parameters;
  const shapes = (name: (typeof wants)[number]) => outputShape(attentionCase, name);
  for (const name of wants) {
    const count = elementCount(shapes(name));
    if (count > 0)
      open.set(
        name,
        Array.from({ length: count }, (_, flat) => flat),
      );
  }
  const enclosure = level.enclose(attentionCase, open, shapes, 'f64');
  const missed: string[] = [];
  let [checked, unbounded] = [0, 0];
  for (const name of wants) {
    toFlat(truth[name] as Tensor<ReturnType<typeof system.fromNumber> | null>).forEach(
      (exact, flat) => {
        const { lo, hi } = enclosure(name, flat);
        checked++;
        if (exact === null) {
          if (lo !== -Infinity || hi !== -Infinity) missed.push(`${name}[${flat}]: empty row`);
          return;
        }
        const above = lo === -Infinity || (lo < Infinity && !exact.lessThan(system.fromNumber(lo)));
        const below =
          hi === Infinity || (hi > -Infinity && !exact.greaterThan(system.fromNumber(hi)));
        if (!above || !below) {
          missed.push(`${name}[${flat}]: ${exact.toString()} is not in [${lo}, ${hi}]`);
        }
        if (lo === -Infinity || hi === Infinity) unbounded++;
      },
    );
  }
  return { checked, unbounded, missed };
}
