"""attention.py as a candidate: npx xattn gate --candidate 'python3 candidate.py'"""
import numpy as np

import attention
import xattn_kit


def compute(case):
    q, k, v = (x.astype(np.float32) for x in (case.q, case.k, case.v))
    said = dict(scale=case.scale, visible=case.visible())
    out, lse = attention.forward(q, k, v, **said)
    outputs = {"out": out, "lse": lse}
    if case.d_out is not None:
        d_out = case.d_out.astype(np.float32)
        grads = attention.backward(q, k, v, out, lse, d_out, **said)
        outputs.update(zip(("d_q", "d_k", "d_v"), grads))
    return outputs


# What it claims: it is asked such cases, and no others. The other words: bias softcap sink dropout dlse
# recompute poison f64 f16 bf16 (kit/README.md of the package).
supports = "forward backward gqa mask causal-top-left causal-bottom-right window varlen media uneven f32"

if __name__ == "__main__":
    xattn_kit.serve(compute, name="my attention", supports=supports.split(), profile="f32")
