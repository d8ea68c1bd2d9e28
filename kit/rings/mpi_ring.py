"""LV-XAttn on MPI, by mpi4py and NumPy: a candidate of several processes, to read and to start from.

    npx xattn gate --suite core --candidate 'mpirun -n 4 python3 kit/rings/mpi_ring.py'

Keys and values stay on their rank. A block of queries travels around the ring with what its attention
is so far, (O, LSE): each rank adds the share of its own keys and sends the block on, and after as many
rounds as there are ranks it is home. Backwards the same queries travel with dO, LSE and delta, and dQ
grows on the way, while dK and dV stay; keys that come of features are computed anew.
"""
import os
import sys
import time

import numpy as np
from mpi4py import MPI

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))
import xattn_kit
from xattn_kit import pairs

T = np.float32
INF = T(np.inf)
world = MPI.COMM_WORLD


def single(array):
    return None if array is None else np.asarray(array, T)


class Ring:
    """One case as it lies on this rank: blocks of [batch, heads, queries or keys, dim], float32."""

    def __init__(self, case):
        self.case, self.rank, self.ranks = case, case.rank, len(case.rows)
        self.keys, self.group = case.keys[self.rank], case.heads // case.kv_heads
        self.q, self.d_out, self.sink = single(case.q), single(case.d_out), single(case.sink)
        self.bias, self.keep = single(case.bias), single(case.dropout_keep)

    def keys_values(self):
        """K and V of this rank: given, or projected from its features."""
        case = self.case
        if case.dim_y is None:
            return single(case.k), single(case.v)
        y, shape = single(case.y), (case.batch, case.y.shape[1], case.kv_heads)
        project = lambda w, dim: np.swapaxes((y @ single(w)).reshape(*shape, dim), 1, 2)
        return project(case.w_k, case.head_dim), project(case.w_v, case.head_dim_v)

    def turn(self, *block):
        """Sends a block to the next rank, and receives that of the one before: of other rows, perhaps of none."""
        return world.sendrecv(block, (self.rank + 1) % self.ranks, source=(self.rank - 1) % self.ranks)

    def expand(self, x):
        return np.repeat(x, self.group, axis=1)

    def reduce(self, x):
        """Sums over the query heads of each group."""
        return x.reshape(x.shape[0], self.case.kv_heads, self.group, *x.shape[2:]).sum(2, dtype=T)

    def scores(self, q, home, text, k, v):
        """Scores of rank `home`'s queries and this rank's keys, tanh of the softcap, K, V and dropout's factors."""
        case, rows = self.case, self.case.rows[home]
        seen = case.visible(rows, self.keys, text, case.media_key)
        # What nobody sees may hold anything, and 0 times NaN is NaN.
        used = seen.reshape(case.batch, case.kv_heads, self.group * seen.shape[2], k.shape[2]).any(2)[..., None]
        k, v = self.expand(np.where(used, k, T(0))), self.expand(np.where(used, v, T(0)))
        s, t = T(case.scale) * (q @ np.swapaxes(k, 2, 3)), None
        if case.softcap:
            t = np.tanh(s / T(case.softcap))
            s = T(case.softcap) * t
        if self.bias is not None:
            s = s + pairs(self.bias, rows, self.keys)
        kappa = T(1) if self.keep is None else pairs(self.keep, rows, self.keys) * T(1 / (1 - case.dropout_rate))
        return np.where(seen, s, -INF), t, k, v, kappa

    def forward(self):
        """O and LSE of this rank's queries."""
        k, v = self.keys_values()
        shape = self.q.shape[:3]
        out = np.zeros(shape + v.shape[3:], T)
        lse = np.full(shape, -INF) if self.sink is None else np.broadcast_to(self.sink[:, None], shape)
        q, text = self.q, self.case.media_text
        for round in range(self.ranks):
            home = (self.rank - round) % self.ranks
            out, lse = merge(out, lse, *attend(*self.scores(q, home, text, k, v)))
            q, text, out, lse = self.turn(q, text, out, lse)
        return out, lse

    def backward(self, out, lse):
        """Gradients of this rank's queries and keys, and its part of those that are summed over ranks."""
        case, grads = self.case, {}
        delta = -(self.d_out * out).sum(3, dtype=T)
        if case.d_lse is not None:
            delta = delta + single(case.d_lse)
        if self.sink is not None:
            grads["d_sink"] = (np.exp(self.sink[:, None] - lse) * delta).sum((0, 2), dtype=T)
        k, v = self.keys_values()
        dk, dv = np.zeros_like(k), np.zeros_like(v)
        if self.bias is not None:
            grads["d_bias"] = np.zeros_like(self.bias)
        q, text, d_out, dq = self.q, case.media_text, self.d_out, np.zeros_like(self.q)
        for round in range(self.ranks):
            home = (self.rank - round) % self.ranks
            s, t, k_seen, v_seen, kappa = self.scores(q, home, text, k, v)
            p = np.exp(s - np.where(lse == -INF, T(0), lse)[..., None])
            dv += self.reduce(np.swapaxes(p * kappa, 2, 3) @ d_out)
            ds = p * (kappa * (d_out @ np.swapaxes(v_seen, 2, 3)) + delta[..., None])
            if self.bias is not None:
                place = pairs(grads["d_bias"], case.rows[home], self.keys)
                single_axes = tuple(axis for axis in range(4) if place.shape[axis] == 1)
                place += ds.sum(single_axes, dtype=T, keepdims=True)
            if t is not None:
                ds = ds * (T(1) - t * t)
            ds = T(case.scale) * ds
            dq = dq + ds @ k_seen
            dk += self.reduce(np.swapaxes(ds, 2, 3) @ q)
            q, text, d_out, lse, delta, dq = self.turn(q, text, d_out, lse, delta, dq)
        grads.update(d_q=dq, d_k=dk, d_v=dv)
        if case.dim_y is not None:
            grads.update(self.project_backward(dk, dv))
        return {name: world.allreduce(x) if name in xattn_kit.SUMMED else x for name, x in grads.items()}

    def project_backward(self, dk, dv):
        """dY of this rank, and its part of dW_K and dW_V."""
        y = single(self.case.y)
        dk, dv = (np.swapaxes(x, 1, 2).reshape(*y.shape[:2], x.shape[1] * x.shape[3]) for x in (dk, dv))
        return {"d_y": dk @ single(self.case.w_k).T + dv @ single(self.case.w_v).T,
                "d_w_k": np.einsum("bje,bjc->ec", y, dk), "d_w_v": np.einsum("bje,bjc->ec", y, dv)}


def attend(s, _, k, v, kappa):
    """O and LSE of one block of keys; 0 and -inf of a row that sees none of them."""
    m = s.max(3, keepdims=True, initial=-INF)
    m = np.where(m == -INF, T(0), m)
    p = np.exp(s - m)
    l = p.sum(3, keepdims=True, dtype=T)
    return (p * kappa) @ v / np.where(l == 0, T(1), l), (m + np.log(l))[..., 0]


def merge(out_a, lse_a, out_b, lse_b):
    """Attention over two blocks of keys, from that over each."""
    m = np.maximum(lse_a, lse_b)
    m = np.where(m == -INF, T(0), m)
    lse = m + np.log(np.exp(lse_a - m) + np.exp(lse_b - m))
    safe = np.where(lse == -INF, T(0), lse)
    return np.exp(lse_a - safe)[..., None] * out_a + np.exp(lse_b - safe)[..., None] * out_b, lse


def compute(case):
    ring = Ring(case)
    out, lse = ring.forward()
    outputs = {"out": out, "lse": lse}
    if case.d_out is not None:
        outputs.update(ring.backward(out, lse))
    return outputs


def share(x):
    """What every rank passes. MPI waits at full speed: for the next case, which may take long, asleep."""
    waiting = world.Ibarrier()
    while not waiting.Test():
        time.sleep(0.002)
    return world.allgather(x)


def main():
    np.seterr(all="ignore")
    supports = ("forward backward gqa mask bias causal-top-left causal-bottom-right window softcap sink dropout "
                "media varlen dlse recompute uneven poison f32 f16 bf16").split()
    xattn_kit.serve_ranks(compute, world.rank, world.size, share, name="LV-XAttn on MPI", supports=supports, profile="f32")


if __name__ == "__main__":
    main()
