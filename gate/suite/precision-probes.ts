/**
 * Probes for precision lowered where no single rounding shows it: sums arranged so that a narrow
 * accumulator stands still, while an honest one of the profile keeps every term.
 *
 * A format of p bits adds x to 2^p·x and gets 2^p·x again. Each probe sums one large term and then
 * many of half its ULP in the inputs' own format: a lost term is lost every time.
 * The sign of it all is drawn.
 * @module
 */
import type { CaseParameters } from '../../reference/case/case.ts';
import { ulp } from '../../reference/numbers/format.ts';
import { type Adjust, all, edit, set, sign } from './edits.ts';
import type { SuiteSpec } from './suite-spec.ts';
import { EVERYTHING } from './vary.ts';

const LARGE = 2048;

/** All of an input times 1 or −1: sums keep their sizes, to the bit. */
const eitherSign =
  (name: 'k' | 'v' | 'd_out'): Adjust =>
  (inputs, p, below) => {
    const factor = sign(below);
    edit(inputs[name], p.dtype, (_, old) => factor * old);
  };

/** Half the spacing of the narrower half formats at `size`: bf16 for bf16 cases, else f16. */
const lost = ({ dtype }: CaseParameters, size: number): number =>
  ulp(dtype === 'bf16' ? 'bf16' : 'f16', size) / 2;

const RANKS = 17;
const partition = {
  ranks: RANKS,
  q: [2, ...Array.from({ length: RANKS - 1 }, () => 0)],
  kv: [32, ...Array.from({ length: RANKS - 1 }, () => 1)],
};

/** Values 1 in the first shard, a little more in the others, each of which moves O by too little. */
const slowMean: SuiteSpec = {
  name: 'probe/partials-stand-still',
  shows:
    'partial outputs kept in a half format between ranks: small shares are lost at every merge',
  scale: 0,
  seq_q: 2,
  seq_kv: 48,
  partition,
  gradients: false,
  judging: 'structured',
  adjust: all(
    set('v', ([, , j = 0], _, p) => (j < 32 ? 1 : 1 + 32 * lost(p, 1))),
    eitherSign('v'),
  ),
};

/** One key a row: dV is a plain sum of dO over 40 rows. */
const slowKeys: SuiteSpec = {
  name: 'probe/key-gradients-stand-still',
  shows: 'dK or dV accumulated in a half format: small rows are lost',
  scale: 1,
  heads: 2,
  kv_heads: 1,
  seq_q: 40,
  seq_kv: 1,
  judging: 'structured',
  adjust: all(
    set('q', () => 0),
    // One large component: 16 of them would let dS overflow f16, which nobody is judged by.
    set('d_out', ([, h, i, c], _, p) => (h === 0 && i === 0 && c === 0 ? LARGE : lost(p, LARGE))),
    eitherSign('d_out'),
  ),
};

/** dP = ±1 on keys of either sign, so every term of dQ is positive. */
const slowQueries: SuiteSpec = {
  name: 'probe/query-gradients-stand-still',
  shows: 'dQ accumulated in a half format: small keys are lost',
  scale: 1,
  seq_q: 2,
  seq_kv: 32,
  head_dim: 4,
  head_dim_v: 4,
  judging: 'structured',
  adjust: all(
    set('q', () => 0),
    set('d_out', ([, , , c]) => (c === 0 ? 1 : 0)),
    set('v', ([, , j = 0]) => (j % 2 === 0 ? 1 : -1)),
    set('k', ([, , j = 0], _, p) => {
      const size = j === 0 ? LARGE : lost(p, LARGE);
      return j % 2 === 0 ? size : -size;
    }),
    eitherSign('k'),
    eitherSign('v'),
    eitherSign('d_out'),
  ),
};

/** All values equal, so dP = D exactly and dS is zero, unless D lost its small components. */
const slowDelta: SuiteSpec = {
  name: 'probe/delta-stands-still',
  shows: 'D = Σ dO·O accumulated in a half format: small components are lost',
  scale: 1,
  seq_q: 2,
  seq_kv: 4,
  head_dim: 4,
  head_dim_v: 200,
  judging: 'structured',
  adjust: all(
    set('q', () => 0),
    set('k', ([, , j = 0]) => 1 + j),
    set('v', () => 1),
    set('d_out', ([, , , c = 0], _, p) => (c === 0 ? LARGE : lost(p, LARGE))),
    eitherSign('k'),
    eitherSign('v'),
    eitherSign('d_out'),
  ),
};

/** Every extent is chosen for what it adds up to. */
export const PRECISION_PROBES: readonly SuiteSpec[] = [
  slowMean,
  slowKeys,
  slowQueries,
  slowDelta,
].map((spec) => ({ ...spec, keeps: EVERYTHING }));
