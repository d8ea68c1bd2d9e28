/**
 * What each kind of message holds: parts by name, each with its number of elements.
 *
 * What the closed formulas count with, apart from wire.ts, which sizes what is run and simulated: here
 * blocks are equal parts and may be fractions of a row, there they are whole rows of a layout. So that
 * the two are one in effect, tests hold them equal to the byte: run.test.ts a real run's messages, and
 * ../simulation/layer.test.ts every model's layer on the clock. Volume.v has the sums per row: e + 0 out and e + h back forward, 3e + h (or 2e + 2h) out and e back backward,
 * 2e for keys and for their gradients.
 * @module
 */

export type Direction = 'forward' | 'backward';

/** Elements of each part of a message. */
export type Parts = Readonly<Record<string, number>>;

/** Rows of a block (of queries, or of keys) and what a row is made of. */
export interface Extents {
  readonly batch: number;
  readonly rows: number;
  readonly heads: number;
  readonly head_dim: number;
  readonly head_dim_v: number;
  /** Whether the mask asks for each text position's image, an integer per row. */
  readonly media: boolean;
  /** Whether the LSE has cotangents, which travel beside O; D has them in it. */
  readonly d_lse?: boolean;
}

/** Bytes of an element, and of a number per row and head (LSE, D). */
export interface Sizes {
  readonly element_bytes: number;
  readonly scalar_bytes: number;
}

/** Which third tensor the backward pass sends along: O, as published, or D = rowsum(O ∘ dO). */
export type BackwardSends = 'output' | 'delta';

const SCALARS = new Set(['lse', 'delta', 'd_lse']);

/** A block of queries and what is bound to its rows, on the way to other ranks' keys. */
export function queryMessage(x: Extents, direction: Direction, sends: BackwardSends): Parts {
  const scalars = x.batch * x.heads * x.rows;
  const media = x.media ? { media_text: x.batch * x.rows } : {};
  const forward = { q: scalars * x.head_dim, ...media };
  if (direction === 'forward') return forward;
  const backward = { ...forward, d_out: scalars * x.head_dim_v, lse: scalars };
  if (sends === 'delta') return { ...backward, delta: scalars };
  const cotangents = x.d_lse === true ? { d_lse: scalars } : {};
  return { ...backward, out: scalars * x.head_dim_v, ...cotangents };
}

/** A block's result so far: (O, LSE), or dQ. */
export function resultMessage(x: Extents, direction: Direction): Parts {
  const scalars = x.batch * x.heads * x.rows;
  return direction === 'forward'
    ? { out: scalars * x.head_dim_v, lse: scalars }
    : { d_q: scalars * x.head_dim };
}

/** A block of keys and values. */
export function keyMessage(x: Extents): Parts {
  const scalars = x.batch * x.heads * x.rows;
  return { k: scalars * x.head_dim, v: scalars * x.head_dim_v };
}

/** What a block of keys has gathered: dK and dV. */
export function keyGradientMessage(x: Extents): Parts {
  const { k = 0, v = 0 } = keyMessage(x);
  return { d_k: k, d_v: v };
}

export function elementsOf(parts: Parts): number {
  return Object.values(parts).reduce((sum, elements) => sum + elements, 0);
}

export function bytesOf(parts: Parts, { element_bytes, scalar_bytes }: Sizes): number {
  return Object.entries(parts).reduce(
    (sum, [name, elements]) => sum + elements * (SCALARS.has(name) ? scalar_bytes : element_bytes),
    0,
  );
}

/**
 * Elements that rank `rank` sends round a ring of blocks that may be uneven: `ahead` a row with
 * every block but its successor's, `behind` a row with every block (Volume.volume_uneven). Nothing
 * on a single rank.
 */
export function ringElements(
  blocks: readonly number[],
  rank: number,
  { ahead, behind }: { readonly ahead: number; readonly behind: number },
): number {
  if (blocks.length <= 1) return 0;
  const total = blocks.reduce((sum, rows) => sum + rows, 0);
  return (total - (blocks[(rank + 1) % blocks.length] ?? 0)) * ahead + total * behind;
}
