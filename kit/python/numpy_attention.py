"""LV-XAttn in NumPy, every feature, forward and backward: an honest candidate to read and to break.

    npx xattn gate --suite core --candidate 'python3 kit/python/numpy_attention.py --dtype f32'
    npx xattn gate --suite core --candidate 'python3 kit/python/numpy_attention.py --fault phantom-key'

Each rank of the case's partition holds one block of keys; query blocks visit the ranks in ring
order and their partial results (O, LSE) are merged. The backward pass recomputes P from the LSE.
`--fault` switches on one fault of the published LV-XAttn code, by name; `--list-faults` lists them.
"""
import argparse

import numpy as np

import xattn_kit

FAULTS = {
    "phantom-key": "the LSE starts at 0 instead of -inf: one extra key with score 0 and value 0",
    "odd-ring-buffer": "for an odd number of ranks > 1 the forward pass returns the other buffer",
    "unshifted-merge": "the merge takes exp(LSE) without subtracting a maximum",
    "empty-shard-nan": "a shard that is fully masked for a row gives NaN",
    "recompute-no-gradient": "the recomputing backward gives no gradient to features and weights",
    "no-group-reduction": "the backward pass has no sum over the query heads of a group",
    "local-causal": "causal masks compare indices local to a pair of blocks",
}


def slices(sizes):
    ends = np.cumsum(sizes)
    return [slice(int(end - size), int(end)) for end, size in zip(ends, sizes)]


def merge(a, b, T, fault):
    """Two partial results (O, LSE) of disjoint sets of keys as one."""
    (oa, la), (ob, lb) = a, b
    if fault == "unshifted-merge":
        wa, wb = np.exp(la), np.exp(lb)
        lse = np.log(wa + wb)
        return (wa / np.exp(lse))[..., None] * oa + (wb / np.exp(lse))[..., None] * ob, lse
    m = np.maximum(la, lb)
    if fault != "empty-shard-nan":
        m = np.where(np.isfinite(m), m, T(0))
    lse = m + np.log(np.exp(la - m) + np.exp(lb - m))
    safe = np.where(lse == -np.inf, T(0), lse)
    return np.exp(la - safe)[..., None] * oa + np.exp(lb - safe)[..., None] * ob, lse


def merge_given(case, T, fault):
    """Partial results that the case gives, one after another. Of one without keys the output is not looked at."""
    outs = np.where(np.isneginf(case.lses)[..., None], T(0), case.outs.astype(T))
    state = (outs[0], case.lses[0].astype(T))
    for out, lse in zip(outs[1:], case.lses[1:].astype(T)):
        state = merge(state, (out, lse), T, fault)
    return {"out": state[0], "lse": state[1]}


class Attention:
    """One case at one precision. T is the working type; every array is of it."""

    def __init__(self, case, T, fault):
        self.case, self.T, self.fault = case, T, fault
        self.rows, self.keys = slices(case.partition["q"]), slices(case.partition["kv"])
        self.group = case.heads // case.kv_heads
        self.q = case.q.astype(T)
        if case.dim_y is None:
            self.k, self.v = case.k.astype(T), case.v.astype(T)
        else:
            self.k, self.v = self.project(case.w_k, case.head_dim), self.project(case.w_v, case.head_dim_v)
        self.seen = self.visible()
        full = self.seen.shape
        # A key that nobody sees may hold NaN: it is replaced, since 0 * NaN is NaN.
        used = self.seen.reshape(case.batch, case.kv_heads, self.group * case.seq_q, case.seq_kv).any(axis=2)
        self.k = np.where(used[..., None], self.k, T(0))
        self.v = np.where(used[..., None], self.v, T(0))
        self.bias = None if case.bias is None else np.broadcast_to(case.bias.astype(T), full)
        self.kappa = None
        if case.dropout_keep is not None:
            keep = np.broadcast_to(case.dropout_keep, full).astype(T)
            self.kappa = keep * T(1 / (1 - case.dropout_rate))

    def project(self, w, width):
        """K[b, g, j, c] = sum_e y[b, j, e] w[e, g*width + c]."""
        case, T = self.case, self.T
        x = case.y.astype(T) @ w.astype(T)
        return np.moveaxis(x.reshape(case.batch, case.seq_kv, case.kv_heads, width), 2, 1)

    def visible(self):
        case = self.case
        if self.fault != "local-causal" or case.causal == "none":
            return case.visible()
        causal, case.causal = case.causal, "none"
        seen = case.visible()
        case.causal = causal
        for rows in self.rows:
            for keys in self.keys:
                i = np.arange(rows.stop - rows.start)[:, None]
                j = np.arange(keys.stop - keys.start)[None, :]
                offset = j.size - i.size if causal == "bottom-right" else 0
                seen[:, :, rows, keys] &= j <= i + offset
        return seen

    def expand(self, x):
        return np.repeat(x, self.group, axis=1)

    def reduce(self, x):
        """Sum over the query heads of each group."""
        case = self.case
        grouped = x.reshape((case.batch, case.kv_heads, self.group) + x.shape[2:])
        if self.fault == "no-group-reduction":
            return grouped[:, :, 0]
        return grouped.sum(axis=2, dtype=self.T)

    def scores(self, rows, keys):
        """s = scale q.k -> softcap -> + bias, and tanh; -inf where not visible."""
        case, T = self.case, self.T
        k = self.expand(self.k[:, :, keys])
        s = T(case.scale) * (self.q[:, :, rows] @ np.swapaxes(k, 2, 3))
        t = None
        if case.softcap:
            t = np.tanh(s / T(case.softcap))
            s = T(case.softcap) * t
        if self.bias is not None:
            s = s + self.bias[:, :, rows, keys]
        return np.where(self.seen[:, :, rows, keys], s, T(-np.inf)), t

    def partial(self, rows, keys):
        """Attention of a query block over one block of keys: (O, LSE)."""
        T = self.T
        s, _ = self.scores(rows, keys)
        m = np.max(s, axis=3, keepdims=True, initial=-np.inf)
        if self.fault != "empty-shard-nan":
            m = np.where(np.isfinite(m), m, T(0))
        p = np.exp(s - m)
        l = p.sum(axis=3, keepdims=True, dtype=T)
        weights = p if self.kappa is None else p * self.kappa[:, :, rows, keys]
        o = weights @ self.expand(self.v[:, :, keys])
        if self.fault == "empty-shard-nan":
            return o / l, (m + np.log(l))[..., 0]
        o = np.divide(o, l, out=np.zeros_like(o), where=l > 0)
        return o, (m + np.log(l))[..., 0]

    def forward(self):
        case, T, ranks = self.case, self.T, len(self.rows)
        out = np.zeros((case.batch, case.heads, case.seq_q, case.head_dim_v), T)
        lse = np.zeros((case.batch, case.heads, case.seq_q), T)
        for home, rows in enumerate(self.rows):
            shape = lse[:, :, rows].shape
            start = T(0) if self.fault == "phantom-key" else T(-np.inf)
            state = (np.zeros(shape + (case.head_dim_v,), T), np.full(shape, start, T))
            if case.sink is not None:
                sink = np.broadcast_to(case.sink.astype(T)[None, :, None], shape)
                state = merge(state, (np.zeros_like(state[0]), sink), T, self.fault)
            for step in range(ranks):
                state = merge(state, self.partial(rows, self.keys[(home + step) % ranks]), T, self.fault)
            out[:, :, rows], lse[:, :, rows] = state
        if self.fault == "odd-ring-buffer" and ranks % 2 == 1 and ranks > 1:
            out, lse = self.rotated(out), self.rotated(lse)
        return out, lse

    def rotated(self, x):
        """Every rank holds its neighbour's rows (as many as fit)."""
        turned = x.copy()
        for home, rows in enumerate(self.rows):
            other = self.rows[(home + 1) % len(self.rows)]
            size = min(rows.stop - rows.start, other.stop - other.start)
            turned[:, :, rows.start:rows.start + size] = x[:, :, other.start:other.start + size]
        return turned

    def backward(self, out, lse):
        case, T = self.case, self.T
        d_out = case.d_out.astype(T)
        d_lse = T(0) if case.d_lse is None else case.d_lse.astype(T)
        delta = d_lse - (d_out * out).sum(axis=3, dtype=T)
        dq, dk, dv = np.zeros_like(self.q), np.zeros_like(self.k), np.zeros_like(self.v)
        ds_all = np.zeros(self.seen.shape, T) if self.bias is not None else None
        safe = np.where(lse == -np.inf, T(0), lse)
        for rows in self.rows:
            for keys in self.keys:
                s, t = self.scores(rows, keys)
                p = np.exp(s - safe[:, :, rows, None])
                kappa = T(1) if self.kappa is None else self.kappa[:, :, rows, keys]
                do = d_out[:, :, rows]
                dv[:, :, keys] += self.reduce(np.swapaxes(p * kappa, 2, 3) @ do)
                g = kappa * (do @ np.swapaxes(self.expand(self.v[:, :, keys]), 2, 3))
                ds = p * (g + delta[:, :, rows, None])
                if ds_all is not None:
                    ds_all[:, :, rows, keys] = ds
                if t is not None:
                    ds = ds * (T(1) - t * t)
                ds = ds * T(case.scale)
                dq[:, :, rows] += ds @ self.expand(self.k[:, :, keys])
                dk[:, :, keys] += self.reduce(np.swapaxes(ds, 2, 3) @ self.q[:, :, rows])
        grads = {"d_q": dq, "d_k": dk, "d_v": dv}
        if ds_all is not None:
            grads["d_bias"] = self.unbroadcast(ds_all, case.bias.shape)
        if case.sink is not None:
            p = np.exp(case.sink.astype(T)[None, :, None] - lse)
            grads["d_sink"] = (p * delta).sum(axis=(0, 2), dtype=T)
        if case.dim_y is not None:
            grads.update(self.project_backward(dk, dv))
        return grads

    def unbroadcast(self, x, shape):
        x = x.sum(axis=tuple(range(x.ndim - len(shape))), dtype=self.T)
        axes = tuple(n for n, extent in enumerate(shape) if extent == 1)
        return x.sum(axis=axes, keepdims=True, dtype=self.T).reshape(shape)

    def project_backward(self, dk, dv):
        case, T = self.case, self.T
        y, grads = case.y.astype(T), {"d_y": np.zeros(case.y.shape, T)}
        for name, w, dx in (("d_w_k", case.w_k, dk), ("d_w_v", case.w_v, dv)):
            flat = np.moveaxis(dx, 1, 2).reshape(case.batch, case.seq_kv, dx.shape[1] * dx.shape[3])
            grads["d_y"] = grads["d_y"] + flat @ w.astype(T).T
            grads[name] = np.einsum("bje,bjc->ec", y, flat)
        if self.fault == "recompute-no-gradient":
            grads = {name: np.zeros_like(x) for name, x in grads.items()}
        return grads


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dtype", choices=["f32", "f64"], default="f32")
    parser.add_argument("--fault", choices=sorted(FAULTS))
    parser.add_argument("--list-faults", action="store_true")
    options = parser.parse_args()
    if options.list_faults:
        for name, what in FAULTS.items():
            print("%-22s %s" % (name, what))
        return
    T = np.float32 if options.dtype == "f32" else np.float64
    np.seterr(all="ignore")

    def compute(case):
        if case.op == "merge":
            return merge_given(case, T, options.fault)
        attention = Attention(case, T, options.fault)
        out, lse = attention.forward()
        outputs = {"out": out, "lse": lse}
        if any(name.startswith("d_") for name in case.wants):
            outputs.update(attention.backward(out, lse))
        return outputs

    features = ("forward backward gqa mask bias causal-top-left causal-bottom-right window softcap "
                "sink dropout media varlen dlse recompute uneven poison merge").split()
    dtypes = ["f32", "f16", "bf16"] if options.dtype == "f32" else ["f64", "f32", "f16", "bf16"]
    name = "NumPy %s%s" % (options.dtype, " with fault " + options.fault if options.fault else "")
    xattn_kit.serve(compute, name=name, supports=features + dtypes, profile=options.dtype)


if __name__ == "__main__":
    main()
