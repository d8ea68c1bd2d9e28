"""The same as tests: python3 -m pytest"""
import attention
import numpy as np
import pytest
from xattn_kit import assert_attention


@pytest.mark.parametrize("heads, kv_heads, seq_q, seq_kv", [(4, 4, 5, 9), (4, 2, 1, 33), (6, 1, 16, 7)])
def test_attention(heads, kv_heads, seq_q, seq_kv):
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    q, k, v = draw(2, heads, seq_q, 16), draw(2, kv_heads, seq_kv, 16), draw(2, kv_heads, seq_kv, 16)
    d_out = draw(2, heads, seq_q, 16)
    out, lse = attention.forward(q, k, v, scale=1 / 4)
    d_q, d_k, d_v = attention.backward(q, k, v, out, lse, d_out, scale=1 / 4)
    assert_attention(q, k, v, out=out, lse=lse, d_out=d_out, d_q=d_q, d_k=d_k, d_v=d_v, random=True)
