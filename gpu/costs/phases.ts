/**
 * A pass of a schedule as every rank lives it: phases of equal rounds, each with its operations and
 * with what it sends meanwhile or afterwards. Bytes and seconds of a pass both come from this value.
 * @module
 */

/** Where messages go; the machine knows which links that takes. */
export type Route =
  /** From each rank to the one `stride` further on. */
  | { readonly to: 'next'; readonly stride: number }
  /** From each rank to all others of its group, `group` ranks in a row, in equal parts. */
  | { readonly to: 'all'; readonly group: number };

/** What a rank sends in one round. */
export interface Transfer {
  readonly bytes: number;
  readonly route: Route;
  /**
   * `beside`: while the round computes. `gradients`: so too, but it is summed up on its way, so that
   * each hop waits for the round's result. `alone`: nothing is computed meanwhile.
   */
  readonly when: 'beside' | 'gradients' | 'alone';
}

export interface Phase {
  readonly rounds: number;
  /** Floating-point operations of one round: of attention, and of projections. */
  readonly attention: number;
  readonly projections: number;
  readonly transfers: readonly Transfer[];
}

export interface Pass {
  readonly phases: readonly Phase[];
  /** The round that all but the first and last are like: it says what bounds the pass. */
  readonly steady: Phase;
}

export const NEXT: Route = { to: 'next', stride: 1 };

export const phase = (
  rounds: number,
  attention: number,
  transfers: readonly Transfer[],
): Phase => ({
  ...{ rounds, attention, projections: 0 },
  transfers: transfers.filter(({ bytes }) => bytes > 0),
});

/**
 * Blocks round a ring of `n`: each is sent on n − 1 times, a step ahead of where it is needed; what
 * is gathered for it follows a step behind, on n hops, the last one home with nothing beside it.
 */
export function ringPass(
  n: number,
  round: {
    readonly attention: number;
    readonly ahead: number;
    readonly behind: number;
    readonly route?: Route;
    readonly summed?: boolean;
  },
): Pass {
  const { attention, route = NEXT } = round;
  const ahead: Transfer = { bytes: round.ahead, route, when: 'beside' };
  const behind: Transfer = {
    ...{ bytes: round.behind, route },
    when: round.summed === true ? 'gradients' : 'beside',
  };
  const steady = phase(Math.max(0, n - 2), attention, [ahead, behind]);
  if (n === 1) {
    const only = phase(1, attention, []);
    return { phases: [only], steady: only };
  }
  return {
    phases: [
      phase(1, attention, [ahead]),
      steady,
      phase(1, attention, [behind]),
      phase(1, 0, [{ ...behind, when: 'alone' }]),
    ],
    steady,
  };
}

/**
 * Blocks round a ring of `n`; what is found for each goes straight home beside the next round. That of
 * the first block is at home, and that of the last one has nothing beside it.
 */
export function straightPass(
  n: number,
  round: { readonly attention: number; readonly ahead: number; readonly straight: number },
): Pass {
  const { attention } = round;
  if (n === 1) return ringPass(1, { attention, ahead: 0, behind: 0 });
  const ahead: Transfer = { bytes: round.ahead, route: NEXT, when: 'beside' };
  const route: Route = { to: 'all', group: n };
  const straight: Transfer = { bytes: round.straight, route, when: 'beside' };
  const steady = phase(Math.max(0, n - 3), attention, [ahead, straight]);
  return {
    phases: [
      phase(Math.min(2, n - 1), attention, [ahead]),
      steady,
      phase(1, attention, n > 2 ? [straight] : []),
      phase(1, 0, [{ ...straight, when: 'alone' }]),
    ],
    steady,
  };
}

/** One round that computes. */
export function plainPass(attention: number): Pass {
  const steady = phase(1, attention, []);
  return { phases: [steady], steady };
}

/** A pass whose one round stands for all it computes and sends. */
export function steadyOf({ phases }: Pass): Pass {
  const attention = phases.reduce((sum, one) => sum + one.rounds * one.attention, 0);
  const transfers = phases.flatMap(({ rounds, transfers: sent }) =>
    sent.map((transfer) => ({ ...transfer, bytes: rounds * transfer.bytes })),
  );
  return { phases, steady: phase(1, attention, transfers) };
}

/** The pass with phases before and after it. */
export const around = (
  before: readonly Phase[],
  { phases, steady }: Pass,
  after: readonly Phase[],
): Pass => ({ phases: [...before, ...phases, ...after], steady });

/** A phase of transfers alone. */
export const alone = (bytes: number, route: Route, rounds = 1): Phase =>
  phase(rounds, 0, [{ bytes, route, when: 'alone' }]);

/** A phase of projections alone. */
export const projecting = (projections: number): Phase => ({
  ...{ rounds: 1, attention: 0, projections },
  transfers: [],
});

/** The same pass when nothing is sent while a round computes. */
export function withoutOverlap({ phases, steady }: Pass): Pass {
  const serial = (one: Phase): Phase => ({
    ...one,
    transfers: one.transfers.map((transfer) => ({ ...transfer, when: 'alone' })),
  });
  return { phases: phases.map(serial), steady: serial(steady) };
}

/** Bytes that one rank sends in a pass. */
export function bytesSent({ phases }: Pass): number {
  return phases.reduce(
    (sum, { rounds, transfers }) =>
      sum + rounds * transfers.reduce((bytes, transfer) => bytes + transfer.bytes, 0),
    0,
  );
}
