/**
 * Cases near the ends of their formats, where intermediates of a right program may overflow.
 * @module
 */
import fc from 'fast-check';
import type { AttentionCase } from '../../reference/case/case.ts';
import { maxFinite } from '../../reference/numbers/format.ts';
import { mapTensor } from '../../reference/numbers/tensor.ts';
import { caseArbitrary } from './attention-case.ts';

const REALS = ['q', 'k', 'v', 'd_out', 'd_lse', 'bias', 'sink', 'y', 'w_k', 'w_v'] as const;

/** Any case, some of its inputs and its scale times powers of two that bring it near the limits of its formats. */
export function hostileCaseArbitrary(
  options: Parameters<typeof caseArbitrary>[0] = {},
): fc.Arbitrary<AttentionCase> {
  return fc
    .tuple(
      caseArbitrary(options),
      fc.array(fc.tuple(fc.constantFrom(...REALS), fc.double({ min: 0, max: 1, noNaN: true }))),
      fc.constantFrom(1, 1, 1, 2 ** 8, 2 ** 40, 2 ** 80),
    )
    .map(([c, factors, scaling]) => {
      const inputs = { ...c.inputs };
      const { dtype } = c.parameters;
      for (const [name, share] of factors) {
        const tensor = inputs[name];
        if (tensor === undefined) continue;
        const top = Math.log2(maxFinite(dtype === 'f64' ? 'f32' : dtype));
        const times = 2 ** Math.floor(share * top);
        const limit = maxFinite(dtype);
        inputs[name] = mapTensor(tensor, (x) =>
          Number.isFinite(x) ? Math.max(-limit, Math.min(limit, x * times)) : x,
        );
      }
      const parameters = { ...c.parameters, scale: c.parameters.scale * scaling };
      return { ...c, parameters, inputs };
    });
}
