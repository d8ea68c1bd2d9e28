"""LV-XAttn in JAX by shard_map, on as many devices as you say: a candidate to read and to start from.

    npx xattn gate --suite core --candidate 'python3 kit/rings/jax_ring.py 4'

Without that many accelerators the devices are virtual ones of the processor; one process speaks for all.
Keys and values stay on their device. A block of queries travels around the ring with what its attention
is so far, (O, LSE): each device adds the share of its own keys and sends the block on, and after as many
rounds as there are devices it is home. Backwards the same queries travel with dO, LSE and delta, and dQ
grows on the way, while dK and dV stay; keys that come of features are computed anew.

shard_map divides evenly, so uneven blocks are filled up with rows and keys that nobody sees.
"""
import os
import sys

RANKS = int(sys.argv[1]) if len(sys.argv) > 1 else 4
os.environ["XLA_FLAGS"] = "%s --xla_force_host_platform_device_count=%d" % (os.environ.get("XLA_FLAGS", ""), RANKS)

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh, PartitionSpec

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))
import xattn_kit
from xattn_kit import pairs

mesh = Mesh(np.array(jax.devices()[:RANKS]), ("ring",))
EVERYWHERE, TOKENS = PartitionSpec(), PartitionSpec(None, "ring")
BLOCKS, COLUMNS = PartitionSpec(None, None, "ring"), PartitionSpec(None, None, None, "ring")
SPECS = dict(q=BLOCKS, k=BLOCKS, v=BLOCKS, d_out=BLOCKS, d_lse=BLOCKS, y=TOKENS, w_k=EVERYWHERE, w_v=EVERYWHERE,
             seen=COLUMNS, bias=COLUMNS, kappa=COLUMNS, sink=EVERYWHERE, scale=EVERYWHERE, softcap=EVERYWHERE,
             out=BLOCKS, lse=BLOCKS, d_q=BLOCKS, d_k=BLOCKS, d_v=BLOCKS, d_bias=COLUMNS, d_sink=EVERYWHERE,
             d_y=TOKENS, d_w_k=EVERYWHERE, d_w_v=EVERYWHERE)


def turn(block):
    """Every device's block goes to the next one."""
    return lax.ppermute(block, "ring", [(rank, (rank + 1) % RANKS) for rank in range(RANKS)])


def keys_values(x):
    """K and V of this device: given, or projected from its features."""
    if "y" not in x:
        return x["k"], x["v"]
    heads = x["w_k"].shape[1] // x["q"].shape[3]
    project = lambda w: jnp.swapaxes((x["y"] @ w).reshape(*x["y"].shape[:2], heads, -1), 1, 2)
    return project(x["w_k"]), project(x["w_v"])


def scores(x, q, home, k):
    """Scores of device `home`'s queries and this one's keys, tanh of the softcap, and dropout's factors."""
    rows = lambda name: lax.dynamic_slice_in_dim(x[name], home * q.shape[2], q.shape[2], 2)
    s, t = x["scale"] * (q @ jnp.swapaxes(expand(k, q), 2, 3)), None
    if "softcap" in x:
        t = jnp.tanh(s / x["softcap"])
        s = x["softcap"] * t
    if "bias" in x:
        s = s + rows("bias")
    return jnp.where(rows("seen"), s, -jnp.inf), t, rows("kappa") if "kappa" in x else jnp.float32(1)


def expand(x, q):
    return jnp.repeat(x, q.shape[1] // x.shape[1], axis=1)


def reduce(x, like):
    """Sums over the query heads of each group."""
    return x.reshape(like.shape[0], like.shape[1], -1, *x.shape[2:]).sum(2)


def forward(x):
    """O and LSE of this device's queries."""
    rank, (k, v) = lax.axis_index("ring"), keys_values(x)

    def round_of(number, block):
        q, out, lse = block
        s, _, kappa = scores(x, q, (rank - number) % RANKS, k)
        return turn((q, *merge(out, lse, *attend(s, expand(v, q), kappa))))

    shape = x["q"].shape[:3]
    lse = jnp.broadcast_to(x["sink"][:, None], shape) if "sink" in x else jnp.full(shape, -jnp.inf, jnp.float32)
    return lax.fori_loop(0, RANKS, round_of, (x["q"], jnp.zeros(shape + v.shape[3:], jnp.float32), lse))[1:]


def backward(x, out, lse):
    """Gradients of this device's queries and keys, and the sums over devices."""
    rank, (k, v) = lax.axis_index("ring"), keys_values(x)
    delta = x["d_lse"] - (x["d_out"] * out).sum(3)
    grads = {}
    if "sink" in x:
        grads["d_sink"] = lax.psum((jnp.exp(x["sink"][:, None] - lse) * delta).sum((0, 2)), "ring")

    def round_of(number, state):
        (q, d_out, lse, delta, dq), dk, dv, d_bias = state
        home = (rank - number) % RANKS
        s, t, kappa = scores(x, q, home, k)
        p = jnp.exp(s - jnp.where(lse == -jnp.inf, 0, lse)[..., None])
        dv += reduce(jnp.swapaxes(p * kappa, 2, 3) @ d_out, v)
        ds = p * (kappa * (d_out @ jnp.swapaxes(expand(v, q), 2, 3)) + delta[..., None])
        if d_bias is not None:
            d_bias = lax.dynamic_update_slice_in_dim(d_bias, ds, home * q.shape[2], 2)
        if t is not None:
            ds = ds * (1 - t * t)
        ds = x["scale"] * ds
        dq += ds @ expand(k, q)
        dk += reduce(jnp.swapaxes(ds, 2, 3) @ q, k)
        return turn((q, d_out, lse, delta, dq)), dk, dv, d_bias

    d_bias = jnp.zeros_like(x["bias"]) if "bias" in x else None
    block = (x["q"], x["d_out"], lse, delta, jnp.zeros_like(x["q"]))
    block, dk, dv, d_bias = lax.fori_loop(0, RANKS, round_of, (block, jnp.zeros_like(k), jnp.zeros_like(v), d_bias))
    grads.update(d_q=block[4], d_k=dk, d_v=dv, **({} if d_bias is None else {"d_bias": d_bias}))
    if "y" in x:
        dk, dv = (jnp.swapaxes(z, 1, 2).reshape(*x["y"].shape[:2], -1) for z in (dk, dv))
        grads["d_y"] = dk @ x["w_k"].T + dv @ x["w_v"].T
        grads["d_w_k"], grads["d_w_v"] = (lax.psum(jnp.einsum("bje,bjc->ec", x["y"], z), "ring") for z in (dk, dv))
    return grads


def attend(s, v, kappa):
    """O and LSE of one block of keys; 0 and -inf of a row that sees none of them."""
    m = s.max(3, keepdims=True, initial=-jnp.inf)
    m = jnp.where(m == -jnp.inf, 0, m)
    p = jnp.exp(s - m)
    l = p.sum(3, keepdims=True)
    return (p * kappa) @ v / jnp.where(l == 0, 1, l), (m + jnp.log(l))[..., 0]


def merge(out_a, lse_a, out_b, lse_b):
    """Attention over two blocks of keys, from that over each."""
    m = jnp.maximum(lse_a, lse_b)
    m = jnp.where(m == -jnp.inf, 0, m)
    lse = m + jnp.log(jnp.exp(lse_a - m) + jnp.exp(lse_b - m))
    safe = jnp.where(lse == -jnp.inf, 0, lse)
    return jnp.exp(lse_a - safe)[..., None] * out_a + jnp.exp(lse_b - safe)[..., None] * out_b, lse


def local(x):
    """What one device does."""
    out, lse = forward(x)
    return dict({"out": out, "lse": lse}, **(backward(x, out, lse) if "d_out" in x else {}))


@jax.jit
def attention(x):
    names = ["out", "lse"]
    if "d_out" in x:
        names += ["d_q", "d_k", "d_v"] + ["d_" + name for name in ("bias", "sink", "y", "w_k", "w_v") if name in x]
    return jax.shard_map(local, mesh=mesh, in_specs=({name: SPECS[name] for name in x},),
                         out_specs={name: SPECS[name] for name in names}, check_vma=False)(x)


def filled(x, axis, blocks):
    """Blocks of an axis, all filled up to the largest, one after another."""
    size = max(1, *(block.stop - block.start for block in blocks))
    shape = x.shape[:axis] + (len(blocks), size) + x.shape[axis + 1:]
    wide = np.zeros(shape, x.dtype)
    for rank, block in enumerate(blocks):
        every = (slice(None),) * axis
        wide[every + (rank, slice(0, block.stop - block.start))] = x[every + (block,)]
    return wide.reshape(x.shape[:axis] + (len(blocks) * size,) + x.shape[axis + 1:])


def unfilled(x, axis, blocks):
    """The blocks without what they were filled up with."""
    size = x.shape[axis] // len(blocks)
    kept = [np.arange(rank * size, rank * size + block.stop - block.start) for rank, block in enumerate(blocks)]
    return np.take(x, np.concatenate(kept), axis)


def laid(case, name, x, back=False):
    """An input as the devices hold it, or an output as the case has it."""
    move = unfilled if back else filled
    if name in ("q", "d_out", "d_lse", "out", "lse", "d_q"):
        return move(x, 2, case.rows)
    if name in ("k", "v", "d_k", "d_v"):
        return move(x, 2, case.keys)
    if name in ("y", "d_y"):
        return move(x, 1, case.keys)
    if name in ("seen", "bias", "kappa", "d_bias"):
        return move(move(x, 3, case.keys), 2, case.rows)
    return x


compiled = set()


def compute(case):
    given = {name: getattr(case, name) for name in ("q", "k", "v", "y", "w_k", "w_v", "bias", "sink", "d_out", "d_lse")}
    x = {name: value.astype(np.float32) for name, value in given.items() if value is not None}
    full = (case.batch, case.heads, case.seq_q, case.seq_kv)
    x["seen"], x["scale"] = case.visible(), np.float32(case.scale)
    # What nobody sees may hold anything, and 0 times NaN is NaN.
    rows = case.heads // case.kv_heads * case.seq_q
    used = x["seen"].reshape(case.batch, case.kv_heads, rows, case.seq_kv).any(2)[..., None]
    x.update({name: np.where(used, x[name], np.float32(0)) for name in ("k", "v") if name in x})
    if case.bias is not None:
        x["bias"] = np.broadcast_to(x["bias"], full)
    if case.dropout_keep is not None:
        x["kappa"] = np.broadcast_to(case.dropout_keep, full).astype(np.float32) / np.float32(1 - case.dropout_rate)
    if case.softcap:
        x["softcap"] = np.float32(case.softcap)
    if case.d_out is not None and case.d_lse is None:
        x["d_lse"] = np.zeros(full[:3], np.float32)
    x = {name: laid(case, name, value) for name, value in x.items()}
    compiled.add(tuple((name, value.shape) for name, value in x.items()))
    if len(compiled) > 64:
        # Programs for shapes that do not come again only take room.
        jax.clear_caches()
        compiled.clear()
    outputs = attention(x)
    outputs = {name: laid(case, name, np.asarray(value), back=True) for name, value in outputs.items()}
    if case.bias is not None and case.d_out is not None:
        shape = (1,) * (4 - case.bias.ndim) + case.bias.shape
        summed = tuple(axis for axis in range(4) if shape[axis] == 1)
        outputs["d_bias"] = outputs["d_bias"].sum(summed, np.float32, keepdims=True).reshape(case.bias.shape)
    return outputs


if __name__ == "__main__":
    supports = ("forward backward gqa mask bias causal-top-left causal-bottom-right window softcap sink dropout "
                "media varlen dlse recompute uneven poison f32 f16 bf16").split()
    xattn_kit.serve(compute, name="LV-XAttn by shard_map", supports=supports, profile="f32", ranks=[RANKS])
