/**
 * SuiteSpec: one case of a suite, still without a dtype or numbers.
 * @module
 */

import type { Dtype, Partition } from '../../reference/case/case.ts';
import type { CaseChanges } from '../../reference/case/draw-case.ts';

export interface SuiteSpec extends Omit<CaseChanges, 'partition' | 'id' | 'dtype'> {
  /** Group and name, without the suite: `probe/phantom-key`. */
  readonly name: string;
  /** The fault that this case shows, one sentence; null for a control. */
  readonly shows?: string;
  /** Ranks with even shards, or the partition itself; default one rank. */
  readonly ranks?: number;
  readonly partition?: Partition;
  /** Cases of one sequence are asked one right after another, in their order. */
  readonly sequence?: string;
  /** Extents that are not drawn: what the case shows needs them as they are. Default: none. */
  readonly keeps?: readonly Extent[];
  /** Only for candidates of these dtypes; default all. */
  readonly dtypes?: readonly Dtype[];
}

/** Batch entries; heads of either kind; rows and keys; components of keys and of values. */
export type Extent = 'batch' | 'heads' | 'sizes' | 'widths';
