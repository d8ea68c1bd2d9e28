"""attention.py as a candidate: npx xattn gate --candidate 'python3 candidate.py'"""
import jax
import jax.numpy as jnp
import numpy as np
import xattn_kit
from attention import attention

INPUTS = {"d_q": "q", "d_k": "k", "d_v": "v", "d_bias": "bias", "d_sink": "sink"}


def compute(case):
    """Every case in float32: what it was stored in is exact there."""
    array = lambda x: jnp.asarray(np.asarray(x, np.float32))
    given = {name: array(getattr(case, name)) for name in INPUTS.values() if getattr(case, name) is not None}
    kappa = None if case.dropout_keep is None else array(case.dropout_keep) / np.float32(1 - case.dropout_rate)
    said = dict(scale=np.float32(case.scale), softcap=case.softcap, visible=jnp.asarray(case.visible()), kappa=kappa)
    (out, lse), vjp = jax.vjp(lambda x: attention(**x, **said), given)
    outputs = {"out": out, "lse": lse}
    if case.d_out is not None:
        d_lse = jnp.zeros_like(lse) if case.d_lse is None else array(case.d_lse)
        (grads,) = vjp((array(case.d_out), d_lse))
        outputs.update((name, grads[of]) for name, of in INPUTS.items() if of in grads)
    return {name: np.asarray(x) for name, x in outputs.items()}


# What it claims: it is asked such cases, and no others. The other words: recompute poison f64
# (kit/README.md of the package).
supports = ("forward backward gqa mask bias causal-top-left causal-bottom-right window softcap sink dropout media varlen "
            "dlse uneven f32 f16 bf16")

if __name__ == "__main__":
    xattn_kit.serve(compute, name="my attention", supports=supports.split(), profile="f32")
