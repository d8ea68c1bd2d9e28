/**
 * What a failing case's pictures show, as the page of a report gets it.
 * @module
 */
import type { OutputName } from '../../reference/case/case.ts';

/** Cells, row-major, of a part of an output. */
export interface ErrorMap {
  readonly title: string;
  readonly rowName: string;
  readonly columnName: string;
  readonly rows: number;
  readonly columns: number;
  /** Elements that a cell stands for, down and across; the last ones stand for fewer. */
  readonly step: readonly [number, number];
  /** A byte a cell (map-code.ts), base64. */
  readonly codes: string;
}

/** Counts over octaves; bars from `outside` on are beyond the bound. */
export interface Histogram {
  readonly labels: readonly string[];
  readonly counts: readonly number[];
  readonly outside: number | null;
}

/** Elements of a head, or of a rank's block. */
export interface GroupCount {
  readonly name: string;
  readonly of: number;
  readonly outside: number;
  readonly worst: number;
}

export interface OutputChart {
  readonly name: OutputName;
  readonly shape: readonly number[];
  readonly count: GroupCount;
  readonly notAsked: number;
  readonly worst: readonly {
    readonly index: readonly number[];
    readonly fraction: number;
    readonly ulp: number;
    readonly expected: number;
    readonly got: number;
  }[];
  readonly fractions: Histogram;
  readonly ulps: Histogram;
  readonly heads: readonly GroupCount[];
  readonly ranks: readonly GroupCount[];
  /** The first is over all heads, where there are several axes. */
  readonly maps: readonly ErrorMap[];
}

export interface CaseChart {
  readonly outputs: readonly OutputChart[];
}
