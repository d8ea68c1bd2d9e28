/**
 * What is pinned of a case, part by part: every number that the oracle and the judge come to, as
 * digests of their bits. Words that a verdict is told in are not pinned.
 * @module
 */
import { createHash } from 'node:crypto';
import { coarseBounds } from '../../reference/bounds/by-case/coarse-bounds.ts';
import { OUTPUT_NAMES, type OutputName, type Outputs } from '../../reference/case/case.ts';
import type { GivenOutputs } from '../../reference/case/given.ts';
import { referenceOutputs } from '../../reference/definition/reference.ts';
import { certifyDouble } from '../../reference/kernels/double/double-certify.ts';
import { certifySized } from '../../reference/kernels/float64/certify.ts';
import { sameRows } from '../../reference/kernels/walk/head-rows.ts';
import { roundTo, unitRoundoff } from '../../reference/numbers/format.ts';
import { mapTensor, type Storage } from '../../reference/numbers/tensor.ts';
import { oracle } from '../../reference/oracle/oracle.ts';
import { type Bounds, type Expectation, expectation } from '../../reference/verdict/expectation.ts';
import { judgeAgainst, type Verdict } from '../../reference/verdict/judge.ts';
import { judgedOutputs, sampledExpectation } from '../../reference/verdict/sampled-expectation.ts';
import { LAWS } from '../laws/index.ts';
import { checkLaw, coarseElementBounds, relatives } from '../laws/law.ts';
import type { PinnedCase } from './draw.ts';

/** Something that takes text and numbers, one after another. */
interface Digest {
  readonly text: (words: string) => void;
  /** The bits of each; a NaN is a NaN, whatever its payload. */
  readonly numbers: (data: Storage<number> | readonly number[] | undefined) => void;
  readonly end: () => string;
}

function newDigest(): Digest {
  const hash = createHash('sha256');
  return {
    text: (words) => hash.update(`${words};`),
    numbers: (data) => {
      if (data === undefined) return;
      const view = new DataView(new ArrayBuffer(8 * data.length));
      for (let n = 0; n < data.length; n++) {
        const x = data[n];
        view.setFloat64(8 * n, x === undefined || Number.isNaN(x) ? Number.NaN : x, true);
      }
      hash.update(new Uint8Array(view.buffer));
    },
    // Eighteen bits: one case's drift goes unseen once in 2¹⁸, and no drift is in one case only.
    end: () => hash.digest('base64url').slice(0, 3),
  };
}

function addOutputs(digest: Digest, outputs: Outputs): void {
  for (const name of OUTPUT_NAMES) {
    const tensor = outputs[name];
    if (tensor === undefined) continue;
    digest.text(`${name} ${tensor.shape}`);
    digest.numbers(tensor.data);
  }
}

function addBounds(digest: Digest, names: readonly OutputName[], { of }: Bounds): void {
  for (const name of names) {
    for (const stored of ['f64', 'bf16'] as const) {
      // Only the LSE's bound knows what it is stored in.
      if (stored === 'f64' || name === 'lse') digest.numbers(of(name, unitRoundoff(stored))?.data);
    }
  }
}

function addExpectation(digest: Digest, expected: Expectation): void {
  addOutputs(digest, expected.values);
  const names = Object.keys(expected.values) as OutputName[];
  for (const bounds of [expected.worstCase, expected.probabilistic]) {
    digest.text(bounds === null ? 'none' : 'bounds');
    if (bounds !== null) addBounds(digest, names, bounds);
  }
  for (const name of names) {
    const excused = expected.excused(name);
    digest.text(
      excused === undefined ? '-' : mapTensor(excused, (x) => (x ? 1 : 0)).data.toString(),
    );
  }
}

function addVerdict(digest: Digest, { verdict, outputs, open }: Verdict): void {
  digest.text(`${verdict} ${open?.elements} ${open?.of}`);
  for (const name of OUTPUT_NAMES) {
    const report = outputs[name];
    if (report === undefined) continue;
    digest.text(`${name} ${report.worst_index}`);
    const { max_ulp, max_bound_fraction, expected, got } = report;
    digest.numbers([max_ulp ?? -1, max_bound_fraction, expected, got]);
  }
}

/** An answer as a candidate might give it: rounded, and off by some part of the bound here and there. */
function answerTo({ values, worstCase, profile }: Expectation, times: number): GivenOutputs {
  const { outputFormat } = profile;
  const dtype = outputFormat.toUpperCase();
  const given: GivenOutputs = {};
  for (const [key, tensor] of Object.entries(values)) {
    const name = key as OutputName;
    const bound = worstCase.of(name, unitRoundoff(outputFormat))?.data;
    let n = 0;
    const moved = mapTensor(tensor, (x) => {
      const by = bound?.[n] ?? 0;
      n++;
      const off = Number.isFinite(by) ? times * by * ((n % 5) / 4 - 0.5) : 0;
      return roundTo(outputFormat, x + off);
    });
    given[name] = { dtype, tensor: moved };
  }
  return given;
}

/** Verdicts on an answer that is right, one that only independent errors rule out, and two wrong ones. */
const TIMES = [0, 0.25, 1.25, 2.5];

/** Outputs in float64, all a factor larger. */
function f64Outputs(outputs: Outputs, factor: number): GivenOutputs {
  const given: GivenOutputs = {};
  for (const [name, tensor] of Object.entries(outputs)) {
    given[name as OutputName] = { dtype: 'F64', tensor: mapTensor(tensor, (x) => x * factor) };
  }
  return given;
}

/** The expectations of the case as a whole and of its sample. */
interface Expected {
  readonly whole: Expectation;
  readonly sample: Expectation;
}

type Part = (digest: Digest, one: PinnedCase, expected: Expected) => void;

const PARTS = {
  oracle: (digest, { attentionCase, format }) => {
    const answer = oracle(attentionCase, { format });
    for (const outputs of [answer.values, answer.lo, answer.hi]) addOutputs(digest, outputs);
    digest.text(JSON.stringify([answer.decidedBy, answer.undecided]));
  },
  float64: (digest, { attentionCase, sample }) => {
    for (const { rows, keys } of [sample, { rows: null, keys: null }]) {
      const options = { rows: rows ?? undefined, keys: keys ?? undefined };
      const { certified, valueSizes } = certifySized(attentionCase, options);
      for (const name of OUTPUT_NAMES) {
        digest.numbers(certified[name]?.mid.data);
        digest.numbers(certified[name]?.radius.data);
      }
      digest.numbers(valueSizes);
    }
  },
  double: (digest, { attentionCase, sample }) => {
    const { parameters: p } = attentionCase;
    const rows = sample.rows === null ? undefined : sameRows(p, sample.rows);
    for (const options of [{ rows, keys: sample.keys ?? undefined }, {}]) {
      const certified = certifyDouble(attentionCase, options);
      for (const name of OUTPUT_NAMES) {
        const found = certified[name];
        for (const data of [found?.high, found?.low, found?.radius]) digest.numbers(data);
      }
    }
  },
  bounds: (digest, { attentionCase, profile }, { whole }) => {
    addExpectation(digest, whole);
    const coarse = coarseBounds(attentionCase, profile);
    const { wants } = attentionCase.parameters;
    digest.numbers(wants.map((name) => coarse(name, unitRoundoff('f32'))));
  },
  sample: (digest, { attentionCase, sample }, expected) => {
    digest.text(judgedOutputs(attentionCase, sample).join(' '));
    addExpectation(digest, expected.sample);
  },
  verdicts: (digest, _, { whole, sample }) => {
    for (const expected of [whole, sample]) {
      for (const times of TIMES) {
        addVerdict(digest, judgeAgainst(expected, answerTo(expected, times)));
      }
    }
  },
  laws: (digest, { attentionCase, profile }) => {
    for (const law of LAWS) {
      const cases = relatives(law, attentionCase);
      if (cases === null) continue;
      // What is one part in eight too large breaks whatever law is sharp enough to see it.
      const outputs = cases.map((c, run) => f64Outputs(referenceOutputs(c), run === 0 ? 1.125 : 1));
      const { verdict, checked, unchecked } = checkLaw(
        law,
        cases,
        outputs,
        profile,
        coarseElementBounds,
      );
      digest.text(`${law.name} ${verdict} ${checked} ${unchecked}`);
      for (const c of cases) {
        const coarse = coarseBounds(c, profile);
        digest.numbers(c.parameters.wants.map((name) => coarse(name, unitRoundoff('f32'))));
      }
    }
  },
} as const satisfies Record<string, Part>;

export type PartName = keyof typeof PARTS;
export const PART_NAMES = Object.keys(PARTS) as PartName[];

/** A digest of each part, in the order of their names. */
export function partsOf(one: PinnedCase, names: readonly PartName[] = PART_NAMES): string[] {
  const { attentionCase, profile, sample } = one;
  const expected: Expected = {
    whole: expectation(attentionCase, profile),
    sample: sampledExpectation(attentionCase, profile, sample, 1),
  };
  return names.map((name) => {
    const digest = newDigest();
    PARTS[name](digest, one, expected);
    return digest.end();
  });
}
