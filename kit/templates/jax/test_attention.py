"""The same as tests: python3 -m pytest"""
import jax
import pytest
from attention import attention
from xattn_kit import assert_attention


@pytest.mark.parametrize("heads, kv_heads, seq_q, seq_kv", [(4, 4, 5, 9), (4, 2, 1, 33), (6, 1, 16, 7)])
def test_attention(heads, kv_heads, seq_q, seq_kv):
    shapes = (2, heads, seq_q, 16), (2, kv_heads, seq_kv, 16), (2, kv_heads, seq_kv, 16), (2, heads, seq_q, 16)
    q, k, v, d_out = (jax.random.normal(key, shape) for key, shape in zip(jax.random.split(jax.random.PRNGKey(0), 4), shapes))
    (out, lse), vjp = jax.vjp(attention, q, k, v)
    d_q, d_k, d_v = vjp((d_out, jax.numpy.zeros_like(lse)))
    assert_attention(q, k, v, out=out, lse=lse, d_out=d_out, d_q=d_q, d_k=d_k, d_v=d_v, random=True)
