"""The same as tests: python3 -m pytest"""
import pytest
import torch
from attention import attention
from xattn_kit import assert_attention


@pytest.mark.parametrize("heads, kv_heads, seq_q, seq_kv", [(4, 4, 5, 9), (4, 2, 1, 33), (6, 1, 16, 7)])
def test_attention(heads, kv_heads, seq_q, seq_kv):
    torch.manual_seed(0)
    draw = lambda *shape: torch.randn(shape, requires_grad=True)
    q, k, v = draw(2, heads, seq_q, 16), draw(2, kv_heads, seq_kv, 16), draw(2, kv_heads, seq_kv, 16)
    out, lse = attention(q, k, v)
    d_out = torch.randn_like(out)
    out.backward(d_out)
    assert_attention(q, k, v, out=out, lse=lse, d_out=d_out, d_q=q.grad, d_k=k.grad, d_v=v.grad, random=True)
