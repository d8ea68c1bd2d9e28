"""LV-XAttn on PyTorch's gloo backend: a candidate of several processes, to read and to start from.

    npx xattn gate --suite core --candidate 'torchrun --nproc_per_node 4 kit/rings/torch_ring.py'
    npx xattn gate --suite core --candidate 'python3 kit/rings/torch_ring.py 4'

Keys and values stay on their rank. A block of queries travels around the ring with what its attention
is so far, (O, LSE): each rank adds the share of its own keys and sends the block on, and after as many
rounds as there are ranks it is home. Backwards the same queries travel with dO, LSE and delta, and dQ
grows on the way, while dK and dV stay; keys that come of features are computed anew.
"""
import datetime
import os
import sys

import numpy as np
import torch
import torch.distributed as dist

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))
import xattn_kit
from xattn_kit import pairs

INF = float("inf")


def tensor(array, dtype=torch.float32):
    return None if array is None else torch.tensor(np.asarray(array), dtype=dtype)


class Ring:
    """One case as it lies on this rank: blocks of [batch, heads, queries or keys, dim], float32."""

    def __init__(self, case):
        self.case, self.rank, self.ranks = case, case.rank, len(case.rows)
        self.keys, self.group = case.keys[self.rank], case.heads // case.kv_heads
        self.q, self.d_out, self.sink = tensor(case.q), tensor(case.d_out), tensor(case.sink)
        self.bias, self.keep = tensor(case.bias), tensor(case.dropout_keep)
        # Which image a query belongs to goes where the query goes.
        text = np.zeros(self.q.shape[::2]) if case.media is None else case.media_text
        self.text = tensor(text, torch.int64)[:, None]

    def keys_values(self):
        """K and V of this rank: given, or projected from its features."""
        case = self.case
        if case.dim_y is None:
            return tensor(case.k), tensor(case.v)
        y, shape = tensor(case.y), (case.batch, case.y.shape[1], case.kv_heads)
        project = lambda w, dim: (y @ tensor(w)).reshape(*shape, dim).transpose(1, 2)
        return project(case.w_k, case.head_dim), project(case.w_v, case.head_dim_v)

    def turn(self, block, home):
        """Sends a block to the next rank, and receives from the one before that of rank `home`'s queries."""
        if self.ranks == 1:
            return block
        rows = self.case.partition["q"][home]
        came = [x.new_empty(x.shape[:2] + (rows,) + x.shape[3:]) for x in block]
        waiting = [dist.irecv(x, (self.rank - 1) % self.ranks, tag=n) for n, x in enumerate(came) if x.numel()]
        waiting += [dist.isend(x.contiguous(), (self.rank + 1) % self.ranks, tag=n)
                    for n, x in enumerate(block) if x.numel()]
        for one in waiting:
            one.wait()
        return came

    def expand(self, x):
        return x.repeat_interleave(self.group, dim=1)

    def reduce(self, x):
        """Sums over the query heads of each group."""
        return x.reshape(x.shape[0], self.case.kv_heads, self.group, *x.shape[2:]).sum(2)

    def scores(self, q, home, text, k, v):
        """Scores of rank `home`'s queries and this rank's keys, tanh of the softcap, K, V and dropout's factors."""
        case, rows = self.case, self.case.rows[home]
        seen = torch.from_numpy(case.visible(rows, self.keys, text[:, 0].numpy(), case.media_key))
        # What nobody sees may hold anything, and 0 times NaN is NaN.
        used = seen.reshape(case.batch, case.kv_heads, self.group * seen.shape[2], k.shape[2]).any(2)[..., None]
        k, v = self.expand(k.where(used, k.new_zeros(()))), self.expand(v.where(used, v.new_zeros(())))
        s, t = case.scale * (q @ k.mT), None
        if case.softcap:
            t = torch.tanh(s / case.softcap)
            s = case.softcap * t
        if self.bias is not None:
            s = s + pairs(self.bias, rows, self.keys)
        kappa = 1.0 if self.keep is None else pairs(self.keep, rows, self.keys) / (1 - case.dropout_rate)
        return s.masked_fill(~seen, -INF), t, k, v, kappa

    def forward(self):
        """O and LSE of this rank's queries."""
        k, v = self.keys_values()
        shape = self.q.shape[:3]
        out = self.q.new_zeros(shape + (v.shape[3],))
        lse = self.q.new_full(shape, -INF) if self.sink is None else self.sink[:, None].expand(shape)
        q, text = self.q, self.text
        for round in range(self.ranks):
            home = (self.rank - round) % self.ranks
            out, lse = merge(out, lse, *attend(*self.scores(q, home, text, k, v)))
            q, text, out, lse = self.turn([q, text, out, lse], (home - 1) % self.ranks)
        return out, lse

    def backward(self, out, lse):
        """Gradients of this rank's queries and keys, and its part of those that are summed over ranks."""
        case, grads = self.case, {}
        delta = -(self.d_out * out).sum(3)
        if case.d_lse is not None:
            delta = delta + tensor(case.d_lse)
        if self.sink is not None:
            grads["d_sink"] = ((self.sink[:, None] - lse).exp() * delta).sum((0, 2))
        k, v = self.keys_values()
        dk, dv = torch.zeros_like(k), torch.zeros_like(v)
        if self.bias is not None:
            grads["d_bias"] = torch.zeros_like(self.bias)
        q, text, d_out, dq = self.q, self.text, self.d_out, torch.zeros_like(self.q)
        for round in range(self.ranks):
            home = (self.rank - round) % self.ranks
            s, t, k_seen, v_seen, kappa = self.scores(q, home, text, k, v)
            p = (s - lse.masked_fill(lse == -INF, 0)[..., None]).exp()
            dv += self.reduce((p * kappa).mT @ d_out)
            ds = p * (kappa * (d_out @ v_seen.mT) + delta[..., None])
            if self.bias is not None:
                place = pairs(grads["d_bias"], case.rows[home], self.keys)
                place += ds.sum_to_size(place.shape)
            if t is not None:
                ds = ds * (1 - t * t)
            ds = case.scale * ds
            dq = dq + ds @ k_seen
            dk += self.reduce(ds.mT @ q)
            q, text, d_out, lse, delta, dq = self.turn([q, text, d_out, lse, delta, dq], (home - 1) % self.ranks)
        grads.update(d_q=dq, d_k=dk, d_v=dv)
        if case.dim_y is not None:
            grads.update(self.project_backward(dk, dv))
        for name in xattn_kit.SUMMED:
            if name in grads and self.ranks > 1 and grads[name].numel():
                dist.all_reduce(grads[name])
        return grads

    def project_backward(self, dk, dv):
        """dY of this rank, and its part of dW_K and dW_V."""
        y, (dk, dv) = tensor(self.case.y), (x.transpose(1, 2).flatten(2) for x in (dk, dv))
        return {"d_y": dk @ tensor(self.case.w_k).mT + dv @ tensor(self.case.w_v).mT,
                "d_w_k": torch.einsum("bje,bjc->ec", y, dk), "d_w_v": torch.einsum("bje,bjc->ec", y, dv)}


def attend(s, _, k, v, kappa):
    """O and LSE of one block of keys; 0 and -inf of a row that sees none of them."""
    m = s.amax(3, keepdim=True) if s.shape[3] else s.new_full(s.shape[:3] + (1,), -INF)
    m = m.masked_fill(m == -INF, 0)
    p = (s - m).exp()
    l = p.sum(3, keepdim=True)
    return (p * kappa) @ v / l.masked_fill(l == 0, 1), (m + l.log())[..., 0]


def merge(out_a, lse_a, out_b, lse_b):
    """Attention over two blocks of keys, from that over each."""
    m = torch.maximum(lse_a, lse_b)
    m = m.masked_fill(m == -INF, 0)
    lse = m + ((lse_a - m).exp() + (lse_b - m).exp()).log()
    safe = lse.masked_fill(lse == -INF, 0)
    return (lse_a - safe).exp()[..., None] * out_a + (lse_b - safe).exp()[..., None] * out_b, lse


def compute(case):
    ring = Ring(case)
    out, lse = ring.forward()
    outputs = {"out": out, "lse": lse}
    if case.d_out is not None:
        outputs.update(ring.backward(out, lse))
    return outputs


def main():
    rank, size = xattn_kit.launch(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    # It waits for its next case as long as the judge takes.
    dist.init_process_group("gloo", timeout=datetime.timedelta(days=1))
    torch.set_num_threads(1)

    def share(x):
        everyone = [None] * size
        dist.all_gather_object(everyone, x)
        return everyone

    supports = ("forward backward gqa mask bias causal-top-left causal-bottom-right window softcap sink dropout "
                "media varlen dlse recompute uneven poison f32 f16 bf16").split()
    xattn_kit.serve_ranks(compute, rank, size, share, name="LV-XAttn on gloo", supports=supports, profile="f32")


if __name__ == "__main__":
    main()
