"""Attention in PyTorch, its gradients by autograd: put yours in its place."""
import math

import torch


def attention(q, k, v, *, scale=None, visible=None, softcap=0.0, bias=None, sink=None, kappa=None):
    """out [batch, heads, seq_q, dim_v] and lse [batch, heads, seq_q]; a row that sees nothing: 0 and -inf."""
    group = q.shape[1] // k.shape[1]
    k, v = (x.repeat_interleave(group, 1) for x in (k, v))
    s = (1 / math.sqrt(q.shape[3]) if scale is None else scale) * (q @ k.transpose(2, 3))
    if softcap:
        s = softcap * torch.tanh(s / softcap)
    if bias is not None:
        s = s + bias
    if visible is not None:
        s = s.masked_fill(~visible, -math.inf)
    logits = s
    if sink is not None:
        logits = torch.cat([s, sink[None, :, None, None].expand(s.shape[0], -1, s.shape[2], 1)], 3)
    lse = torch.logsumexp(logits, 3)
    p = torch.exp(s - torch.where(torch.isfinite(lse), lse, torch.zeros_like(lse))[..., None])
    return (p if kappa is None else p * kappa) @ v, lse
