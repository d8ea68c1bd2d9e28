/**
 * Fault: D is computed from the output without dropout.
 * @module
 */
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';
import { forward } from '../host/forward.ts';
import { HONEST, rowIndex } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dropout-delta-undropped',
  wrong: 'D is computed from the output without dropout.',
  seen: 'B-6',
  shownBy: 'exact/one-hot-dropout',
  seams: () => {
    let plain: Float64Array = new Float64Array(0);
    return {
      finishForward: (x, saved) => {
        plain = forward({ ...x, seams: { ...HONEST, kappa: () => 1 } }).out;
        return saved;
      },
      savedOut: (x, _out, row, c) => read(plain, rowIndex(x, row) * x.p.head_dim_v + c),
    };
  },
};
