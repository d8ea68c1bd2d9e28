/**
 * Fault: the bias is added before the softcap.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'softcap-after-bias',
  wrong: 'The bias is added before the softcap.',
  seen: 'invented',
  shownBy: 'pair/bias-and-softcap',
  seams: () => ({
    score: (x, at) =>
      x.seams.visible(x, at)
        ? HONEST.capped(
            x,
            x.round.score(HONEST.scaled(x, at, x.seams.dot(x, at)) + x.seams.bias(x, at)),
          )
        : null,
  }),
};
