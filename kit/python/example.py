"""The smallest honest candidate: forward attention in NumPy float32.

    npx xattn gate --candidate 'python3 kit/python/example.py'
"""
import numpy as np

import xattn_kit


def compute(case):
    group = case.heads // case.kv_heads
    q = case.q.astype(np.float32)
    k = np.repeat(case.k.astype(np.float32), group, axis=1)
    v = np.repeat(case.v.astype(np.float32), group, axis=1)
    s = np.float32(case.scale) * (q @ np.swapaxes(k, 2, 3))
    s = np.where(case.visible(), s, -np.inf)
    m = np.max(s, axis=3, keepdims=True, initial=-np.inf)
    m = np.where(np.isfinite(m), m, np.float32(0))
    p = np.exp(s - m)
    l = p.sum(axis=3, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        out = np.where(l > 0, (p @ v) / l, np.float32(0))
        lse = (m + np.log(l))[..., 0]
    return {"out": out.astype(np.float32), "lse": lse.astype(np.float32)}


features = "forward gqa mask causal-top-left causal-bottom-right window media varlen uneven f32"
xattn_kit.serve(compute, name="NumPy example", supports=features.split(), profile="f32")
