"""Merges of partial attention results as they are written in the field, as a candidate to read and to break.

    npx xattn gate --suite merge --candidate 'python3 kit/python/merge_states.py --library torch --way sigmoid'

`--way`: `quotient`, two at a time, exponentials below the larger LSE over their sum (FlashInfer's merge_state, vLLM's
merge_attn_states); `weights`, exp(LSE_p - LSE) (TransformerEngine's correction); `at-once`, all parts by one softmax
(FlashInfer's merge_states); `sigmoid`, out - sigmoid(lse_b - lse) (out - out_b), lse - logsigmoid(lse - lse_b) (ring
attention's steps). `--fault` leaves one thing out; `--list-faults` lists them.
"""
import argparse
import math

import numpy as np

import xattn_kit

FAULTS = {
    "no-guard": "two parts without keys give exp(-inf - -inf): NaN",
    "no-maximum": "exp(LSE) is taken without subtracting the larger one",
    "base-2": "natural LSEs are taken for LSEs to base 2",
    "swapped": "each part gets the other's weight",
    "largest-lse": "the merged LSE is the larger of the two",
}


class NumPy:
    """What the merges below are written in; a library is this list of names."""

    exp, log, where, isneginf, maximum = np.exp, np.log, np.where, np.isneginf, np.maximum
    softplus = staticmethod(lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))
    tensor = staticmethod(lambda x: np.array(x, np.float32))
    array = staticmethod(lambda x: x)
    zeros_like, stack = np.zeros_like, np.stack
    amax = staticmethod(lambda x: x.max(0))
    total = staticmethod(lambda x: x.sum(0))


def torch_names():
    import torch

    class Torch:
        exp, log, where, isneginf, maximum = torch.exp, torch.log, torch.where, torch.isneginf, torch.maximum
        softplus = staticmethod(torch.nn.functional.softplus)
        tensor = staticmethod(lambda x: torch.from_numpy(np.array(x, np.float32)))
        array = staticmethod(lambda x: x.numpy())
        zeros_like, stack = torch.zeros_like, torch.stack
        amax = staticmethod(lambda x: x.amax(0))
        total = staticmethod(lambda x: x.sum(0))

    return Torch


def by_exponentials(xp, a, b, quotient, fault):
    """(O, LSE) of two parts: exponentials below the larger LSE, over their sum or below the merged LSE."""
    (out_a, lse_a), (out_b, lse_b) = a, b
    most = xp.zeros_like(lse_a) if fault == "no-maximum" else xp.maximum(lse_a, lse_b)
    if fault != "no-guard":
        most = xp.where(xp.isneginf(most), xp.zeros_like(most), most)
    unit = math.log(2) if fault == "base-2" else 1.0
    e_a, e_b = xp.exp((lse_a - most) * unit), xp.exp((lse_b - most) * unit)
    total = e_a + e_b
    lse = most + xp.log(total) / unit
    if quotient:
        safe = xp.where(total == 0, xp.zeros_like(total) + 1, total)
        if fault == "no-guard":
            safe = total
        w_a, w_b = e_a / safe, e_b / safe
    else:
        safe = lse if fault == "no-guard" else xp.where(xp.isneginf(lse), xp.zeros_like(lse), lse)
        w_a, w_b = xp.exp((lse_a - safe) * unit), xp.exp((lse_b - safe) * unit)
    if fault == "swapped":
        w_a, w_b = w_b, w_a
    if fault == "largest-lse":
        lse = xp.maximum(lse_a, lse_b)
    return w_a[..., None] * out_a + w_b[..., None] * out_b, lse


def by_sigmoid(xp, a, b, fault):
    """O - sigmoid(LSE_b - LSE)(O - O_b), LSE - logsigmoid(LSE - LSE_b); a part without keys changes nothing."""
    (out_a, lse_a), (out_b, lse_b) = a, b
    x = (lse_b - lse_a) * (math.log(2) if fault == "base-2" else 1.0)
    x = -x if fault == "swapped" else x
    weight = 1 / (1 + xp.exp(-x))
    out, lse = out_a - weight[..., None] * (out_a - out_b), lse_a + xp.softplus(lse_b - lse_a)
    if fault == "largest-lse":
        lse = xp.maximum(lse_a, lse_b)
    if fault == "no-guard":
        return out, lse
    keep_a, keep_b = xp.isneginf(lse_b), xp.isneginf(lse_a)
    out = xp.where(keep_a[..., None], out_a, xp.where(keep_b[..., None], out_b, out))
    return out, xp.where(keep_a, lse_a, xp.where(keep_b, lse_b, lse))


def at_once(xp, parts):
    """All parts by one softmax over their LSEs."""
    outs, lses = xp.stack([out for out, _ in parts]), xp.stack([lse for _, lse in parts])
    most = xp.amax(lses)
    safe = xp.where(xp.isneginf(most), xp.zeros_like(most), most)
    weights = xp.exp(lses - safe)
    total = xp.total(weights)
    shares = weights / xp.where(total == 0, xp.zeros_like(total) + 1, total)
    return xp.total(shares[..., None] * outs), safe + xp.log(total)


def merge(xp, way, outs, lses, fault=None):
    """(O, LSE) of parts [parts, ..., dim] and [parts, ...]."""
    outs, lses = xp.tensor(outs), xp.tensor(lses)
    # Of a part without keys nothing is looked at: 0 * NaN is NaN.
    outs = xp.where(xp.isneginf(lses)[..., None], xp.zeros_like(outs), outs)
    parts = [(outs[n], lses[n]) for n in range(len(outs))]
    if way == "at-once":
        out, lse = at_once(xp, parts)
    else:
        out, lse = parts[0]
        for part in parts[1:]:
            if way == "sigmoid":
                out, lse = by_sigmoid(xp, (out, lse), part, fault)
            else:
                out, lse = by_exponentials(xp, (out, lse), part, way == "quotient", fault)
    return xp.array(out), xp.array(lse)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", choices=["numpy", "torch"], default="numpy")
    parser.add_argument("--way", choices=["quotient", "weights", "at-once", "sigmoid"], default="quotient")
    parser.add_argument("--fault", choices=sorted(FAULTS))
    parser.add_argument("--list-faults", action="store_true")
    options = parser.parse_args()
    if options.list_faults:
        for name, what in FAULTS.items():
            print("%-12s %s" % (name, what))
        return
    np.seterr(all="ignore")
    xp = NumPy if options.library == "numpy" else torch_names()

    def compute(case):
        out, lse = merge(xp, options.way, case.outs, case.lses, options.fault)
        return {"out": out, "lse": lse}

    profile = "f32+sigmoid-merge" if options.way == "sigmoid" else "f32"
    name = "merge by %s, %s%s" % (options.way, options.library, ", with fault " + options.fault if options.fault else "")
    xattn_kit.serve(compute, name=name, supports="merge poison f32 f16 bf16".split(), profile=profile)


if __name__ == "__main__":
    main()
