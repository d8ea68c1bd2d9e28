/**
 * Directions: how each output moves when one thing is a little wrong. spec/bounds.md §11
 *
 * A direction is a derivative of the exact answer, so it knows nothing of what a candidate gave.
 * @module
 */
import { nth } from '../../reference/numbers/nth.ts';
import { add, type Dense, type DenseHead, type FunctionalOutput } from './dense.ts';

export interface Direction {
  readonly output: FunctionalOutput;
  /** What would be wrong: `scale`, `size`, `head 3`. */
  readonly fault: string;
  /** The output's change for a fault of size 1, flat. */
  readonly moves: Float64Array;
}

/** Largest products of pairs, keys and components for which every key has a direction of its own. */
const KEY_WORK = 2 ** 22;

type Pairs = (head: DenseHead, n: number, i: number, j: number) => number;

/** Σ_j f_ij V_j − O_i Σ_j g_ij */
function ofOut({ parameters: p, v, heads, exact }: Dense, f: Pairs, g: Pairs): Float64Array {
  const moves = new Float64Array(exact.out.length);
  for (const head of heads) {
    for (let i = 0; i < p.seq_q; i++) {
      const at = head.at.out + i * p.head_dim_v;
      let sum = 0;
      for (let j = 0; j < p.seq_kv; j++) {
        const n = i * p.seq_kv + j;
        if (nth(head.p, n) === 0) continue;
        add(moves, at, f(head, n, i, j), v, head.at.v + j * p.head_dim_v, p.head_dim_v);
        sum += g(head, n, i, j);
      }
      add(moves, at, -sum, exact.out, at, p.head_dim_v);
    }
  }
  return moves;
}

/** scale Σ f_ij K_j, scale Σ f_ij Q_i, or Σ f_ij dO_i */
function ofGradient(dense: Dense, output: 'd_q' | 'd_k' | 'd_v', f: Pairs): Float64Array {
  const { parameters: p, q, k, dOut, heads, exact } = dense;
  const moves = new Float64Array(exact[output].length);
  const [d, wide] = [p.head_dim, p.head_dim_v];
  for (const head of heads) {
    for (let i = 0; i < p.seq_q; i++) {
      for (let j = 0; j < p.seq_kv; j++) {
        const n = i * p.seq_kv + j;
        if (nth(head.p, n) === 0) continue;
        const x = f(head, n, i, j);
        const [qAt, kAt] = [head.at.q + i * d, head.at.k + j * d];
        if (output === 'd_q') add(moves, qAt, p.scale * x, k, kAt, d);
        else if (output === 'd_k') add(moves, kAt, p.scale * x, q, qAt, d);
        else add(moves, head.at.v + j * wide, x, dOut, head.at.out + i * wide, wide);
      }
    }
  }
  return moves;
}

/** s·f of a pair less its row's mean, and by how much D moves, for a scale that grows. */
function scaled(dense: Dense): { shift: Pairs; dS: Pairs } {
  const { seq_q, seq_kv } = dense.parameters;
  const rows = new Map<DenseHead, { mean: Float64Array; dD: Float64Array }>();
  for (const head of dense.heads) {
    const [mean, dD] = [new Float64Array(seq_q), new Float64Array(seq_q)];
    for (let i = 0; i < seq_q; i++) {
      const moved = (n: number): number => nth(head.raw, n) * nth(head.slope, n);
      for (let n = i * seq_kv; n < (i + 1) * seq_kv; n++) {
        mean[i] = nth(mean, i) + nth(head.p, n) * moved(n);
      }
      for (let n = i * seq_kv; n < (i + 1) * seq_kv; n++) {
        dD[i] = nth(dD, i) + nth(head.p, n) * (moved(n) - nth(mean, i)) * nth(head.g, n);
      }
    }
    rows.set(head, { mean, dD });
  }
  const shift: Pairs = (head, n, i) =>
    nth(head.raw, n) * nth(head.slope, n) - nth(rows.get(head)?.mean ?? new Float64Array(1), i);
  return {
    shift,
    dS: (head, n, i, j) =>
      nth(head.slope, n) *
        (nth(head.dS, n) * shift(head, n, i, j) -
          nth(head.p, n) * nth(rows.get(head)?.dD ?? new Float64Array(1), i)) +
      nth(head.dRaw, n),
  };
}

/** From where to where each rank's part goes, of the ranks that have one. */
function parts(sizes: readonly number[]): { rank: number; from: number; to: number }[] {
  let to = 0;
  const all = sizes.map((size, rank) => {
    to += size;
    return { rank, from: to - size, to };
  });
  return all.filter(({ from, to: end }) => end > from);
}

/** One output, but for what is not of one head. */
function ofHeads(dense: Dense, output: FunctionalOutput): Direction[] {
  const { parameters: p, exact } = dense;
  const all = exact[output];
  const heads = output === 'd_k' || output === 'd_v' ? p.kv_heads : p.heads;
  const whole = { output, fault: 'size', moves: all };
  if (heads === 1) return [whole];
  const size = all.length / p.batch / heads;
  const each = Array.from({ length: heads }, (_, h) => ({
    output,
    fault: `size in head ${h}`,
    moves: all.map((x, n) => (Math.floor(n / size) % heads === h ? x : 0)),
  }));
  return [whole, ...each];
}

function outDirections(dense: Dense): Direction[] {
  const { parameters: p } = dense;
  const { shift } = scaled(dense);
  const weight: Pairs = (head, n) => nth(head.weight, n);
  const among =
    (f: Pairs, from: number, to: number): Pairs =>
    (head, n, i, j) =>
      j >= from && j < to ? f(head, n, i, j) : 0;
  const plain: Pairs = (head, n) => nth(head.p, n);
  const none: Pairs = () => 0;
  const left = (from: number, to: number): Float64Array =>
    ofOut(dense, among(weight, from, to), among(plain, from, to));
  const scale = ofOut(
    dense,
    (head, n, i, j) => nth(head.weight, n) * shift(head, n, i, j),
    (head, n, i, j) => nth(head.p, n) * shift(head, n, i, j),
  );
  const found: Direction[] = [
    ...ofHeads(dense, 'out'),
    { output: 'out', fault: 'scale', moves: scale },
  ];
  const shards = parts(p.partition.kv);
  for (const { rank, from, to } of shards.length > 1 ? shards : []) {
    found.push({ output: 'out', fault: `keys of rank ${rank}`, moves: left(from, to) });
    const share = ofOut(dense, among(weight, from, to), none);
    found.push({ output: 'out', fault: `share of rank ${rank}`, moves: share });
  }
  const work = p.batch * p.heads * p.seq_q * p.seq_kv * p.seq_kv * (p.head_dim + p.head_dim_v);
  for (let j = 0; work <= KEY_WORK && j < p.seq_kv; j++) {
    found.push({ output: 'out', fault: `key ${j}`, moves: left(j, j + 1) });
  }
  return found;
}

/** Every direction of a case; those of gradients where it wants them. */
export function directions(dense: Dense, gradients: boolean): Direction[] {
  const { parameters: p } = dense;
  const found = outDirections(dense);
  if (!gradients) return found;
  const { shift, dS } = scaled(dense);
  for (const output of ['d_q', 'd_k'] as const) {
    const push = (fault: string, f: Pairs): void =>
      void found.push({ output, fault, moves: ofGradient(dense, output, f) });
    found.push(...ofHeads(dense, output));
    push('scale', dS);
    push('D', (head, n, i) => -nth(head.p, n) * nth(head.slope, n) * nth(head.d, i));
    if (p.softcap > 0)
      push('slope of the softcap', (head, n) => nth(head.dS, n) - nth(head.dRaw, n));
    const shards = parts(output === 'd_q' ? p.partition.kv : p.partition.q);
    for (const { rank, from, to } of shards.length > 1 ? shards : []) {
      push(`${output === 'd_q' ? 'keys' : 'rows'} of rank ${rank}`, (head, n, i, j) => {
        const place = output === 'd_q' ? j : i;
        return place >= from && place < to ? nth(head.dRaw, n) : 0;
      });
    }
  }
  found.push(...ofHeads(dense, 'd_v'), {
    output: 'd_v',
    fault: 'scale',
    moves: ofGradient(dense, 'd_v', (head, n, i, j) => nth(head.weight, n) * shift(head, n, i, j)),
  });
  return found;
}
