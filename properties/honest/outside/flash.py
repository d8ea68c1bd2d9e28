"""Block kernels in NumPy, in the order of published ones: honest candidates that share no code with
properties/honest/, to be put to the gate and to `xattn fuzz`.

    PYTHONPATH=kit/python npx xattn fuzz --candidate 'python3 properties/honest/outside/flash.py --dtype f16'

FlashAttention-2's order (Dao 2023): keys in blocks with a running maximum in base 2, P in the operand
format before P V, O divided at the end; dS in the operand format, the scale after the sum, dK and dV of
each query head stored and then summed over the group. `--maximum lazy` rescales only when the maximum rises by
more than 8 powers of two; `--splits N` cuts the keys and combines all (O, LSE) at once (flash
decoding); `--merge sigmoid` goes round a ring of the case's ranks with ring-flash-attention's merge;
`--subnormals flushed` makes zero of operands and results below the format's normal numbers. `--sum rounded` sums the
denominator from P as it is rounded for P V.
"""
import argparse

import numpy as np

import xattn_kit

F = np.float32
LOG2_E = F(np.log2(np.e))
LN_2 = F(np.log(2))


SMALLEST_NORMAL = {"f16": F(2.0**-14), "bf16": F(2.0**-126), "f32": F(2.0**-126)}


def operands(dtype, subnormals):
    """Rounding to the operand format, values kept in float32; below its normal numbers to zero, if flushed."""
    if dtype == "f16":
        kept = lambda x: np.asarray(x, F).astype(np.float16).astype(F)
    elif dtype == "bf16":
        kept = lambda x: (xattn_kit.bf16(x).bits.astype(np.uint32) << 16).view(F)
    else:
        kept = lambda x: np.asarray(x, F)
    if subnormals == "kept":
        return kept

    def flushed(x):
        x = kept(x)
        return np.where(np.abs(x) < SMALLEST_NORMAL[dtype], F(0), x)

    return flushed


class Flash:
    def __init__(self, case, options):
        self.case, self.options, self.half = case, options, operands(options.dtype, options.subnormals)
        self.group = case.heads // case.kv_heads
        self.seen = case.visible()
        full = self.seen.shape
        used = self.seen.reshape(case.batch, case.kv_heads, self.group * case.seq_q, case.seq_kv).any(axis=2)[..., None]
        self.q = self.half(case.q)
        self.k = self.expand(self.half(np.where(used, case.k, 0)))
        self.v = self.expand(self.half(np.where(used, case.v, 0)))
        self.bias = None if case.bias is None else np.broadcast_to(self.half(case.bias), full)
        self.kappa = None
        if case.dropout_keep is not None:
            keep = np.broadcast_to(case.dropout_keep, full).astype(F)
            self.kappa = keep * (F(1) / (F(1) - F(case.dropout_rate)))

    def expand(self, x):
        return np.repeat(x, self.group, axis=1)

    def scores(self, keys):
        s = (self.q @ np.swapaxes(self.k[:, :, keys], 2, 3)) * F(self.case.scale)
        t = None
        if self.case.softcap:
            t = np.tanh(s / F(self.case.softcap))
            s = F(self.case.softcap) * t
        if self.bias is not None:
            s = s + self.bias[..., keys]
        return np.where(self.seen[..., keys], s, F(-np.inf)), t

    def blocks(self, begin, end):
        size = self.options.block
        return [slice(at, min(at + size, end)) for at in range(begin, end, size)]

    def kernel(self, begin, end):
        """(O, LSE) over the keys from begin to end, block by block."""
        shape = self.q.shape[:3]
        m, l = np.full(shape, F(-np.inf)), np.zeros(shape, F)
        o = np.zeros(shape + (self.case.head_dim_v,), F)
        for keys in self.blocks(begin, end):
            s, _ = self.scores(keys)
            top = np.maximum(m, s.max(axis=3, initial=-np.inf))
            if self.options.maximum == "lazy":
                top = np.where((top - m) * LOG2_E <= F(8), m, top)
            safe = np.where(top == -np.inf, F(0), top)
            p = np.exp2(s * LOG2_E - (safe * LOG2_E)[..., None])
            if self.options.sum == "rounded":
                p = self.half(p)
            shrink = np.exp2((m - safe) * LOG2_E)
            l = l * shrink + p.sum(axis=3)
            weights = p if self.kappa is None else p * self.kappa[..., keys]
            o = o * shrink[..., None] + self.half(weights) @ self.v[:, :, keys]
            m = top
        out = np.divide(o, l[..., None], out=np.zeros_like(o), where=l[..., None] > 0)
        return out, np.where(l > 0, m + np.log(l), F(-np.inf))

    def sink(self):
        shape = self.q.shape[:3]
        lse = np.broadcast_to(self.half(self.case.sink)[None, :, None], shape)
        return np.zeros(shape + (self.case.head_dim_v,), F), lse.astype(F)

    def combine(self, parts):
        """All parts at once: one LSE over them, one weight for each."""
        lses = np.stack([lse for _, lse in parts])
        m = lses.max(axis=0)
        safe = np.where(m == -np.inf, F(0), m)
        lse = safe + np.log(np.exp(lses - safe).sum(axis=0))
        scale = np.exp(lses - np.where(lse == -np.inf, F(0), lse))
        return sum(w[..., None] * o for w, (o, _) in zip(scale, parts)), lse

    def subtract(self, a, b):
        """ring-flash-attention: out - sigmoid(block_lse - lse) (out - block_out)."""
        (oa, la), (ob, lb) = a, b
        sigma = F(1) / (F(1) + np.exp(la - lb))
        x = la - lb
        log_sigma = np.minimum(x, F(0)) - np.log1p(np.exp(-np.abs(x)))
        both = np.isfinite(la) & np.isfinite(lb)
        o = np.where(both[..., None], oa - sigma[..., None] * (oa - ob), np.where(np.isfinite(la)[..., None], oa, ob))
        return o, np.where(both, la - log_sigma, np.maximum(la, lb))

    def forward(self):
        case, options = self.case, self.options
        ranks = case.partition["kv"] if options.merge == "sigmoid" else [case.seq_kv]
        parts, at = [], 0
        for size in ranks:
            step = max(1, -(-size // options.splits))
            split = [self.kernel(n, min(n + step, at + size)) for n in range(at, at + size, step)]
            if split:
                parts.append(split[0] if len(split) == 1 else self.combine(split))
            at += size
        if options.partials == "stored":
            parts = [(self.half(o), lse) for o, lse in parts]
        if case.sink is not None:
            parts.append(self.sink())
        shape = self.q.shape[:3]
        state = parts[0] if parts else (np.zeros(shape + (case.head_dim_v,), F), np.full(shape, F(-np.inf)))
        for part in parts[1:]:
            state = self.subtract(state, part) if options.merge == "sigmoid" else self.combine([state, part])
        return self.half(state[0]), state[1]

    def reduce(self, x):
        """Each query head's gradient stored, then their sum."""
        case = self.case
        return self.half(self.half(x).reshape((case.batch, case.kv_heads, self.group) + x.shape[2:]).sum(axis=2))

    def backward(self, out, lse):
        case, half = self.case, self.half
        d_out = half(case.d_out)
        d_lse = F(0) if case.d_lse is None else half(case.d_lse)
        delta = d_lse - (d_out * out).sum(axis=3)
        safe = np.where(lse == -np.inf, F(0), lse)
        dq, dk, dv = (np.zeros(x.shape, F) for x in (self.q, self.k, self.v))
        ds_all = np.zeros(self.seen.shape, F)
        for keys in self.blocks(0, case.seq_kv):
            s, t = self.scores(keys)
            p = np.exp2(s * LOG2_E - (safe * LOG2_E)[..., None])
            kappa = F(1) if self.kappa is None else self.kappa[..., keys]
            dv[:, :, keys] = np.swapaxes(half(p * kappa), 2, 3) @ d_out
            g = kappa * (d_out @ np.swapaxes(self.v[:, :, keys], 2, 3))
            ds = np.where(self.seen[..., keys], p * (g + delta[..., None]), F(0))
            ds_all[..., keys] = ds
            raw = half(ds if t is None else ds * (F(1) - t * t))
            dq += raw @ self.k[:, :, keys]
            dk[:, :, keys] = np.swapaxes(raw, 2, 3) @ self.q
        scale = F(case.scale)
        grads = {"d_q": dq * scale, "d_k": self.reduce(dk * scale), "d_v": self.reduce(dv)}
        if case.bias is not None:
            x = ds_all.sum(axis=tuple(range(ds_all.ndim - case.bias.ndim)))
            ones = tuple(n for n, extent in enumerate(case.bias.shape) if extent == 1)
            grads["d_bias"] = x.sum(axis=ones, keepdims=True).reshape(case.bias.shape)
        if case.sink is not None:
            p = np.exp(half(case.sink)[None, :, None] - lse)
            grads["d_sink"] = (p * delta).sum(axis=(0, 2))
        return {name: half(x) for name, x in grads.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dtype", choices=["f32", "f16", "bf16"], default="f32")
    parser.add_argument("--block", type=int, default=4)
    parser.add_argument("--maximum", choices=["exact", "lazy"], default="exact")
    parser.add_argument("--splits", type=int, default=1)
    parser.add_argument("--merge", choices=["weights", "sigmoid"], default="weights")
    parser.add_argument("--partials", choices=["kept", "stored"], default="kept")
    parser.add_argument("--subnormals", choices=["kept", "flushed"], default="kept")
    parser.add_argument("--sum", choices=["unrounded", "rounded"], default="unrounded")
    options = parser.parse_args()
    np.seterr(all="ignore")
    profile = {"base": options.dtype}
    if options.maximum == "lazy":
        profile["maximum"] = "lazy"
    if options.subnormals == "flushed":
        profile["subnormals"] = "flushed"
    if options.partials == "stored":
        profile["partials"] = "stored"
    if options.sum == "rounded":
        profile["sum"] = "rounded"
    if options.merge == "sigmoid":
        profile["merge"] = "sigmoid"

    def compute(case):
        flash = Flash(case, options)
        out, lse = flash.forward()
        outputs = {"out": out, "lse": lse}
        if any(name.startswith("d_") for name in case.wants):
            outputs.update(flash.backward(out, lse))
        return {name: np.asarray(x, F) for name, x in outputs.items()}

    features = ("forward backward gqa mask bias causal-top-left causal-bottom-right window softcap "
                "sink dropout media varlen dlse uneven poison").split()
    name = "NumPy block kernels %s" % vars(options)
    xattn_kit.serve(compute, name=name, supports=features + [options.dtype], profile=profile)


if __name__ == "__main__":
    main()
