"""attention.py as a candidate: npx xattn gate --candidate 'python3 candidate.py'"""
import numpy as np
import torch
import xattn_kit
from attention import attention

INPUTS = {"d_q": "q", "d_k": "k", "d_v": "v", "d_bias": "bias", "d_sink": "sink"}


def compute(case):
    """Every case in float32, on the CPU: what it was stored in is exact there."""
    tensor = lambda x: None if x is None else torch.from_numpy(np.array(x, np.float32))
    x = {name: tensor(getattr(case, name)) for name in INPUTS.values()}
    wanted = [name for name in case.wants if name in INPUTS]
    for name in wanted:
        x[INPUTS[name]].requires_grad_()
    keep = tensor(case.dropout_keep)
    kappa = None if keep is None else keep / (1 - case.dropout_rate)
    visible = torch.from_numpy(case.visible())
    out, lse = attention(**x, scale=case.scale, softcap=case.softcap, visible=visible, kappa=kappa)
    outputs = {"out": out.detach().numpy(), "lse": lse.detach().numpy()}
    if wanted:
        d_lse = torch.zeros_like(lse) if case.d_lse is None else tensor(case.d_lse)
        grads = torch.autograd.grad((out, lse), [x[INPUTS[name]] for name in wanted], (tensor(case.d_out), d_lse))
        outputs.update((name, grad.numpy()) for name, grad in zip(wanted, grads))
    return outputs


# What it claims: it is asked such cases, and no others. The other words: recompute poison f64
# (kit/README.md of the package).
supports = ("forward backward gqa mask bias causal-top-left causal-bottom-right window softcap sink dropout media varlen "
            "dlse uneven f32 f16 bf16")

if __name__ == "__main__":
    xattn_kit.serve(compute, name="my attention", supports=supports.split(), profile="f32")
