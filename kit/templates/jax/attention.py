"""Attention in JAX, its gradients by jax.vjp: put yours in its place."""
import jax
import jax.numpy as jnp


def attention(q, k, v, bias=None, sink=None, *, scale=None, visible=True, softcap=0.0, kappa=None):
    """out [batch, heads, seq_q, dim_v] and lse [batch, heads, seq_q]; a row that sees nothing: 0 and -inf."""
    group = q.shape[1] // k.shape[1]
    k, v = (jnp.repeat(x, group, axis=1) for x in (k, v))
    s = (q.shape[3] ** -0.5 if scale is None else scale) * jnp.matmul(q, k.swapaxes(2, 3), precision="highest")
    if softcap:
        s = softcap * jnp.tanh(s / softcap)
    if bias is not None:
        s = s + bias
    s = jnp.where(visible, s, -jnp.inf)
    if sink is not None:
        s = jnp.concatenate([s, jnp.broadcast_to(sink[None, :, None, None], s.shape[:3] + (1,))], 3)
    m = jax.lax.stop_gradient(s.max(axis=3, keepdims=True, initial=-jnp.inf))
    m = jnp.where(jnp.isfinite(m), m, 0)
    p = jnp.exp(s - m)
    l = p.sum(axis=3, keepdims=True)
    some = jnp.where(l > 0, l, 1)
    p = p[..., : k.shape[2]] / some
    out = jnp.matmul(p if kappa is None else p * kappa, v, precision="highest")
    return out, jnp.where(l > 0, m + jnp.log(some), -jnp.inf)[..., 0]
