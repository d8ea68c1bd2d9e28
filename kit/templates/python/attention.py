"""Attention in NumPy, forward and backward: put yours in its place."""
import numpy as np


def scores(q, k, scale, visible):
    k = np.repeat(k, q.shape[1] // k.shape[1], axis=1)
    return np.where(visible, np.float32(scale) * (q @ k.swapaxes(2, 3)), np.float32(-np.inf))


def forward(q, k, v, *, scale, visible=True):
    """out [batch, heads, seq_q, dim_v] and lse [batch, heads, seq_q]; a row that sees nothing: 0 and -inf."""
    s = scores(q, k, scale, visible)
    m = s.max(axis=3, keepdims=True, initial=-np.inf)
    m = np.where(np.isfinite(m), m, np.float32(0))
    p = np.exp(s - m)
    l = p.sum(axis=3, keepdims=True)
    v = np.repeat(v, q.shape[1] // v.shape[1], axis=1)
    with np.errstate(divide="ignore"):
        lse = (m + np.log(l))[..., 0]
    return (p @ v) / np.where(l > 0, l, np.float32(1)), lse


def backward(q, k, v, out, lse, d_out, *, scale, visible=True):
    """d_q, d_k, d_v from out and lse; d_k and d_v are summed over the query heads of a group."""
    group = q.shape[1] // k.shape[1]
    wide = lambda x: np.repeat(x, group, axis=1)
    summed = lambda x: x.reshape(x.shape[0], k.shape[1], group, *x.shape[2:]).sum(axis=2)
    safe = np.where(np.isfinite(lse), lse, np.float32(0))
    p = np.exp(scores(q, k, scale, visible) - safe[..., None])
    ds = p * (d_out @ wide(v).swapaxes(2, 3) - (d_out * out).sum(axis=3, keepdims=True))
    ds *= np.float32(scale)
    return ds @ wide(k), summed(ds.swapaxes(2, 3) @ q), summed(p.swapaxes(2, 3) @ d_out)
