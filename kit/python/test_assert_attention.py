"""assert_attention: what is right passes, what is wrong is named, whatever holds the numbers."""
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import numpy_attention
import xattn_kit as kit
from xattn_kit import assert_attention

rng = np.random.default_rng(5)


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    monkeypatch.setenv("XATTN_OUT", str(tmp_path / "out"))
    return tmp_path / "out"


def draw(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def attention(q, k, v, d_out=None, scale=None, visible=True, kv_head=None, lse_base=np.e, group=np.sum, T=np.float64):
    """Attention and its gradients in float64, with a place for each fault."""
    q, k, v = (np.asarray(x, T) for x in (q, k, v))
    heads, groups = q.shape[1], k.shape[1]
    of = np.array([(kv_head or (lambda h: h * groups // heads))(h) for h in range(heads)])
    scale = 1 / np.sqrt(q.shape[3]) if scale is None else scale
    with np.errstate(all="ignore"):
        s = np.where(visible, scale * (q @ k[:, of].swapaxes(2, 3)), -np.inf)
        lse = np.logaddexp.reduce(s, axis=3) if s.shape[3] else np.full(s.shape[:3], -np.inf)
        p = np.where(s > -np.inf, np.exp(s - np.where(lse > -np.inf, lse, 0)[..., None]), 0)
    out = p @ v[:, of]
    results = {"out": out, "lse": lse / np.log(lse_base)}
    if d_out is not None:
        do = np.asarray(d_out, T)
        ds = p * (do @ v[:, of].swapaxes(2, 3) - (do * out).sum(3, keepdims=True))
        each = {"d_k": scale * ds.swapaxes(2, 3) @ q, "d_v": p.swapaxes(2, 3) @ do}
        results["d_q"] = scale * ds @ k[:, of]
        for name, x in each.items():
            results[name] = np.stack([group(x[:, of == g], axis=1) for g in range(groups)], axis=1)
    return results


def question(seq_q=5, seq_kv=9):
    q, k, v = draw(2, 4, seq_q, 8), draw(2, 2, seq_kv, 8), draw(2, 2, seq_kv, 6)
    return q, k, v, draw(2, 4, seq_q, 6)


def f32(outputs):
    return {name: x.astype(np.float32) for name, x in outputs.items()}


def test_right_passes_in_every_layout():
    q, k, v, d_out = question()
    right = f32(attention(q, k, v, d_out))
    (verdict,) = assert_attention(q, k, v, d_out=d_out, **right)
    assert verdict["verdict"] == "pass" and set(verdict["outputs"]) == set(right)
    turn = lambda x: x.swapaxes(1, 2) if x.ndim == 4 else x
    assert_attention(*map(turn, (q, k, v)), d_out=turn(d_out), layout="bshd", **{n: turn(x) for n, x in right.items()})


@pytest.mark.parametrize("fault, named", [
    (dict(scale=1.0), "out["),
    (dict(kv_head=lambda h: h % 2), "out["),
    (dict(lse_base=2), "lse["),
    (dict(group=np.mean), "d_k["),
])
def test_a_fault_is_named(fault, named, kept):
    q, k, v, d_out = question()
    wrong = f32(attention(q, k, v, d_out, **fault))
    with pytest.raises(AssertionError) as caught:
        assert_attention(q, k, v, d_out=d_out, **wrong)
    text = str(caught.value)
    assert text.startswith("impossible: ") and named in text and "times the bound" in text
    # The last line judges it again, with the same verdict.
    again = text.splitlines()[-1]
    assert again.startswith("  again: ") and str(kept) in again and again.endswith("--profile f32")
    (folder,) = os.listdir(kept)
    assert "test_a_fault_is_named" in folder.replace("-", "_")
    assert kit.judge(str(kept / folder), "f32")["verdict"] == "impossible"


def test_says_the_place_in_the_layout_that_was_given():
    q, k, v, _ = question()
    out = attention(q, k, v)["out"].astype(np.float32)
    out[1, 3, 2, 4] += 1
    with pytest.raises(AssertionError, match=r"\n  out\[1, 2, 3, 4\]: "):
        assert_attention(*(x.swapaxes(1, 2) for x in (q, k, v)), out=out.swapaxes(1, 2), layout="bshd")


def test_says_nothing_of_outputs_that_are_right():
    x = np.ones((1, 1, 2, 4))
    lse = np.full((1, 1, 2), 2 + np.log(2))
    bad = x.copy()
    bad[0, 0, 0, 0] = np.nan
    with pytest.raises(AssertionError) as caught:
        assert_attention(x, x, x, out=bad, lse=lse, d_out=x, d_q=0 * x)
    text = str(caught.value)
    assert text.startswith("impossible: out[0, 0, 0, 0]: expected 1, got NaN, no bound allows it")
    assert "lse" not in text and "d_q" not in text and text.count("out[") == 1


def test_masks_say_who_sees_whom():
    q, k, v, d_out = question()
    i, j = np.arange(5)[:, None], np.arange(9)[None]
    keep = rng.random((1, 4, 5, 9)) < 0.6
    lengths = np.array([9, 4])
    for visible, said in [
        (j <= i, dict(causal="top-left")),
        (j <= i + 4, dict(causal="bottom-right")),
        ((j >= i - 1) & (j <= i + 2), dict(window=(1, 2))),
        (keep, dict(mask=keep)),
        ((j < lengths[:, None, None])[:, None], dict(kv_lengths=lengths)),
    ]:
        right = f32(attention(q, k, v, d_out, visible=visible))
        assert_attention(q, k, v, d_out=d_out, **right, **said)
        with pytest.raises(AssertionError):
            assert_attention(q, k, v, d_out=d_out, **right)


def test_bf16_and_fp8_are_taken_as_they_are():
    q, k, v, _ = question()
    halves = [kit.bf16(x) for x in (q, k, v)]
    out = kit.bf16(attention(*(x.numbers() for x in halves))["out"])
    assert_attention(*halves, out=out)
    # The same numbers said to be f32's are asked for f32's precision.
    with pytest.raises(AssertionError):
        assert_attention(*(x.numbers() for x in halves), out=out.numbers())
    for dtype in ("F8_E4M3", "F8_E5M2"):
        codes = rng.integers(0, 256, (3, 1, 2, 6, 8)).astype(np.uint8)
        codes[~np.isfinite(kit._TABLES[dtype][codes])] = 0
        codes &= 0b10111111  # below 2
        small = [kit.Stored(dtype, x) for x in codes]
        out = attention(*(x.numbers() for x in small))["out"]
        for profile in ("f16", "bf16"):
            rounded = kit.bf16(out) if profile == "bf16" else out.astype(np.float16)
            assert_attention(*small, out=rounded, profile=profile)
        with pytest.raises(AssertionError):
            assert_attention(*small, out=kit.bf16(out * 1.1), profile="bf16")
        with pytest.raises(ValueError, match='profile expected f16, bf16 or f32 for inputs of F8'):
            assert_attention(*small, out=out)


def test_inputs_of_several_formats_are_held_exactly():
    q, k, v, d_out = question()
    halves = [kit.bf16(x) for x in (q, k, v)]
    case = kit.make_case(*halves, sink=np.array([0.5, 1, 2, -3], np.float32))
    assert case.parameters["dtype"] == "bf16" and case.tensors["sink"].dtype == "BF16"
    case = kit.make_case(*halves, bias=np.full((5, 9), 0.1, np.float32), d_out=d_out)
    assert case.parameters["dtype"] == "f32" and case.tensors["q"].dtype == "F32"
    assert np.array_equal(case.tensors["q"].numbers(), halves[0].numbers())
    case = kit.make_case(q, k, v, bias=np.full((5, 9), 0.1))
    assert case.parameters["dtype"] == "f64"


def test_tensors_of_pytorch():
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    q, k, v = (torch.randn(s, requires_grad=True) for s in ((1, 4, 6, 16), (1, 2, 8, 16), (1, 2, 8, 16)))
    wide = lambda x: x.repeat_interleave(2, 1)
    scores = q @ wide(k).transpose(2, 3) / 4
    out = scores.softmax(-1) @ wide(v)
    d_out = torch.randn_like(out)
    out.backward(d_out)
    grads = dict(d_out=d_out, d_q=q.grad, d_k=k.grad, d_v=v.grad)
    assert_attention(q, k, v, out=out, lse=scores.logsumexp(-1), **grads)
    half = [x.detach().bfloat16() for x in (q, k, v)]
    exact = [x.double() for x in half]
    out = (exact[0] @ wide(exact[1]).transpose(2, 3) / 4).softmax(-1) @ wide(exact[2])
    assert_attention(*half, out=out.bfloat16())
    assert_attention(*(x.transpose(1, 2) for x in half), out=out.bfloat16().transpose(1, 2), layout="bshd")
    with pytest.raises(AssertionError, match="at profile bf16"):
        assert_attention(*half, out=(out * 1.5).bfloat16(), random=True)


def test_arrays_of_ml_dtypes_as_jax_and_tensorflow_have_them():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    q, k, v, _ = question()
    half = [x.astype(ml_dtypes.bfloat16) for x in (q, k, v)]
    out = attention(*half)["out"].astype(ml_dtypes.bfloat16)
    assert_attention(*half, out=out)
    for dtype, name in ((ml_dtypes.float8_e4m3fn, "F8_E4M3"), (ml_dtypes.float8_e5m2, "F8_E5M2")):
        codes = np.arange(256).astype(np.uint8)
        kept = kit.stored("q", codes.view(dtype))
        assert kept.dtype == name
        assert np.array_equal(kept.numbers(), codes.view(dtype).astype(np.float32), equal_nan=True)
    with pytest.raises(TypeError, match="q expected an array of"):
        kit.stored("q", np.zeros(3, ml_dtypes.float8_e4m3fnuz))


def test_packed_sequences_see_themselves_alone():
    rows, keys = [0, 3, 3, 7], [0, 4, 9, 9]
    q, k, v, d_out = draw(7, 4, 8), draw(9, 2, 8), draw(9, 2, 6), draw(7, 4, 6)
    heads_first = lambda x: x.swapaxes(0, 1)[None]
    right = {"out": np.zeros((7, 4, 6), np.float32), "lse": np.full((4, 7), -np.inf, np.float32)}
    right.update(d_q=np.zeros_like(q), d_k=np.zeros_like(k), d_v=np.zeros_like(v))
    for r0, r1, k0, k1 in zip(rows, rows[1:], keys, keys[1:]):
        i, j = np.arange(r1 - r0)[:, None], np.arange(k1 - k0)[None]
        parts = [heads_first(x) for x in (q[r0:r1], k[k0:k1], v[k0:k1], d_out[r0:r1])]
        one = attention(*parts, visible=j <= i + (k1 - k0) - (r1 - r0))
        for name, x in one.items():
            if name == "lse":
                right[name][:, r0:r1] = x[0]
            else:
                at = slice(k0, k1) if name in ("d_k", "d_v") else slice(r0, r1)
                right[name][at] = x[0].swapaxes(0, 1)
    said = dict(layout="thd", cu_seqlens_q=rows, cu_seqlens_kv=np.array(keys, np.int32), causal="bottom-right")
    verdicts = assert_attention(q, k, v, d_out=d_out, **right, **said)
    assert [one["verdict"] for one in verdicts] == ["pass"] * 3
    wrong = dict(right, out=right["out"].copy())
    wrong["out"][6, 1, 2] += 1
    with pytest.raises(AssertionError, match=r"^sequence 2 of 3 .*\n  out\[6, 1, 2\]: .*(.|\n)*\n1 of 3 sequences fail"):
        assert_attention(q, k, v, d_out=d_out, **wrong, **said)
    # Keys that nobody asks for have gradients of exactly 0.
    wrong = dict(right, d_k=right["d_k"].copy())
    wrong["d_k"][5, 0, 0] = 1e-30
    with pytest.raises(AssertionError, match="sequence 1 of 3"):
        assert_attention(q, k, v, d_out=d_out, **wrong, **said)
    for given, reason in [
        (dict(cu_seqlens_q=[0, 3]), "rise from 0 to 7"), (dict(cu_seqlens_q=[0, 4, 3, 7]), "rise from 0 to 7"),
        (dict(cu_seqlens_q=None), "expected offsets"), (dict(cu_seqlens_kv=[0, 9]), "expected 4 offsets"),
        (dict(mask=np.ones((7, 9), bool)), "mask expected none"),
    ]:
        with pytest.raises(ValueError, match=reason):
            assert_attention(q, k, v, out=right["out"], **dict(said, **given))


def test_blocks_of_a_paged_cache():
    cache_k, cache_v, q = draw(7, 4, 2, 8), draw(7, 4, 2, 6), draw(3, 4, 8)
    table, lengths = np.array([[5, 1, 0], [2, 0, 0], [6, 3, 4]]), [6, 0, 12]
    k, ends = kit.unpage(cache_k, table, lengths)
    v, _ = kit.unpage(cache_v, table, lengths)
    assert ends.tolist() == [0, 6, 6, 18]
    assert np.array_equal(k.numbers()[4:6], cache_k[1, :2])
    out = np.zeros((3, 4, 6), np.float32)
    for n, length in enumerate(lengths):
        dense = [c[table[n]].reshape(12, 2, -1)[:length].swapaxes(0, 1)[None] for c in (cache_k, cache_v)]
        out[n] = attention(q[n][None, :, None], *dense)["out"][0, :, 0]
    said = dict(layout="thd", cu_seqlens_q=range(4), cu_seqlens_kv=ends)
    assert_attention(q, k, v, out=out, **said)
    table[2, 1] = 2
    with pytest.raises(AssertionError, match="sequence 2 of 3"):
        assert_attention(q, *(kit.unpage(c, table, lengths)[0] for c in (cache_k, cache_v)), out=out, **said)
    for bad, reason in [((cache_k, table + 5, lengths), "blocks 0..6"), ((cache_k, table, [6, 0, 13]), "0..12"),
                        ((cache_k, table, [6, -1, 0]), "0..12"), ((cache_k[0], table, lengths), "4, 2 and 1 axes")]:
        with pytest.raises(ValueError, match=reason):
            kit.unpage(*bad)


def test_a_case_with_everything_is_read_as_it_was_written(tmp_path):
    B, H, G, n, m, d, e = 2, 4, 2, 5, 9, 8, 6
    parts = dict(
        d_out=draw(B, H, n, e), d_lse=draw(B, H, n), bias=draw(1, H, n, m), mask=rng.random((B, 1, n, m)) < 0.8,
        kv_lengths=np.array([7, 9]), sink=draw(H), dropout_keep=rng.random((B, H, n, m)) < 0.7, dropout_rate=0.25,
        media="previous", media_text=rng.integers(0, 3, (B, n)), media_key=rng.integers(1, 3, (B, m)), softcap=5,
        causal="bottom-right", window=(6, -1), scale=0.3, partition={"ranks": 2, "q": [5, 0], "kv": [2, 7]},
        wants=["out", "lse", "d_q", "d_k", "d_v", "d_bias", "d_sink"], judging="random")
    for name, given in [("keys", dict(k=draw(B, G, m, d), v=draw(B, G, m, e))),
                        ("features", dict(y=draw(B, m, 3), w_k=draw(3, G * d), w_v=draw(3, G * e), kv_heads=G))]:
        wants = parts["wants"] + (["d_y", "d_w_k", "d_w_v"] if name == "features" else [])
        case = kit.make_case(draw(B, H, n, d), **dict(parts, **given, wants=wants))
        folder = str(tmp_path / name)
        case.write(folder)
        read = kit.Case(folder)
        assert read.mask.dtype == np.uint8 and read.kv_lengths.dtype == np.int64
        one = numpy_attention.Attention(read, np.float64, None)
        out, lse = one.forward()
        answers = dict(one.backward(out, lse), out=out, lse=lse)
        kit.write_outputs(folder, {w: answers[w] for w in wants})
        assert kit.judge(folder, "f64")["verdict"] == "pass"
        # A sample of it, and the whole of it wrong.
        assert kit.judge(folder, "f64", rows=2, keys=[1, 3])["sample"]["keys"]["judged"] == 2
        kit.write_outputs(folder, {w: answers[w] + 1e-3 for w in wants})
        assert kit.judge(folder, "f64")["verdict"] == "impossible"


@pytest.mark.parametrize("given, error, reason", [
    (dict(), ValueError, "expected something to judge"),
    (dict(d_q=np.zeros((2, 4, 5, 8))), ValueError, "gradients expected the cotangent d_out"),
    (dict(out=np.zeros((2, 4, 5, 6)), causal=True), ValueError, 'causal expected "top-left"'),
    (dict(out=np.zeros((2, 4, 5, 6)), causal="left"), ValueError, '"causal" expected one of'),
    (dict(out=np.zeros((2, 4, 5, 6)), layout="sbhd"), ValueError, "layout expected"),
    (dict(out=np.zeros((2, 4, 5, 6)), mask=np.zeros((5, 9))), TypeError, "is a bias"),
    (dict(out=np.zeros((2, 4, 5, 6)), mask=np.ones((3, 9), bool)), ValueError, '"mask" expected a shape that broad'),
    (dict(out=np.zeros((2, 4, 5, 6)), dropout_keep=np.ones((5, 9), bool)), ValueError, "dropout_rate"),
    (dict(out=np.zeros((2, 4, 5, 6)), profile="fp32"), ValueError, '"profile" expected one of'),
    (dict(out=np.zeros((2, 4, 5, 6)), rows=[7]), ValueError, '"rows" expected positions in 0..4'),
    (dict(out=np.zeros((2, 4, 5, 6), int)), TypeError, "out expected float64"),
    (dict(out=["a"]), TypeError, "out expected an array of"),
])
def test_a_call_that_makes_no_sense_is_no_verdict(given, error, reason):
    q, k, v, _ = question()
    with pytest.raises(error, match=reason):
        assert_attention(q, k, v, **given)


def test_what_is_not_judged_is_no_pass():
    q, k, v, _ = question()
    right = f32(attention(q, k, v))
    with pytest.raises(AssertionError, match="^skip: "):
        assert_attention(q, k, v, out=right["out"], scale=3e38)
    with pytest.raises(AssertionError, match='^broken: "out".* expected shape'):
        assert_attention(q, k, v, out=right["out"][:, :, :4])


def test_many_threads_ask_at_once():
    q, k, v, _ = question()
    right = f32(attention(q, k, v))
    found = []

    def ask(n):
        out = right["out"].copy()
        out[0, 0, 0, 0] += n % 2
        try:
            assert_attention(q, k, v, out=out)
            found.append(n % 2 == 0)
        except AssertionError:
            found.append(n % 2 == 1)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 24


def test_a_judge_that_dies_is_no_verdict_and_is_started_again():
    q, k, v, _ = question()
    right = f32(attention(q, k, v))
    assert_attention(q, k, v, out=right["out"])
    first = kit._server
    first.process.kill()
    first.process.wait()
    for _ in range(100):
        if first.gone:
            break
        time.sleep(0.1)
    with pytest.raises(kit.JudgeUnavailable, match="the judge ended"):
        first.ask({})
    assert_attention(q, k, v, out=right["out"])
    assert kit._server is not first


FEATURES = {
    "mask": dict(mask=rng.random((3, 1, 9)) < 0.6),
    "bias": dict(bias=np.where(rng.random((2, 1, 7, 1)) < 0.5, draw(2, 1, 7, 1), np.float32(-np.inf))),
    "lengths": dict(kv_lengths=np.array([9, 4])),
    "causal and window": dict(causal="bottom-right", window=(4, 1)),
    "media": dict(media="previous", media_text=np.arange(14).reshape(2, 7) % 5, media_key=1 + np.arange(18).reshape(2, 9) % 3),
}


@pytest.mark.parametrize("feature", FEATURES)
def test_a_rank_sees_its_block_of_what_is_seen(tmp_path, feature):
    partition = {"ranks": 3, "q": [4, 0, 3], "kv": [2, 6, 1]}
    made = kit.make_case(draw(2, 3, 7, 4), draw(2, 1, 9, 4), draw(2, 1, 9, 4), partition=partition, **FEATURES[feature])
    made.write(str(tmp_path))
    case = kit.Case(str(tmp_path))
    assert (case.rows, case.keys) == (kit.blocks([4, 0, 3]), [slice(0, 2), slice(2, 8), slice(8, 9)])
    whole = case.visible()
    assert not whole.all()
    text, key = case.media_text, case.media_key
    for rows in case.rows:
        for keys in case.keys:
            np.testing.assert_array_equal(case.visible(rows, keys), whole[:, :, rows, keys])
            if text is not None:
                case.media_text = case.media_key = None
                given = case.visible(rows, keys, text[:, rows], key[:, keys])
                case.media_text, case.media_key = text, key
                np.testing.assert_array_equal(given, whole[:, :, rows, keys])


def test_without_a_judge_it_says_how_to_get_one(monkeypatch):
    q, k, v, _ = question()
    monkeypatch.setattr(kit, "_server", None)
    for command in ("/no/such/program", sys.executable + " -c 'import sys; sys.exit(\"nothing here\")'"):
        monkeypatch.setenv("XATTN_COMMAND", command)
        with pytest.raises(kit.JudgeUnavailable, match="npm install lv-xattn-oracle"):
            assert_attention(q, k, v, out=attention(q, k, v)["out"])


LIFE = """
import sys
sys.path.insert(0, %r)
import numpy as np, xattn_kit
x = np.ones((1, 1, 2, 4))
xattn_kit.assert_attention(x, x, x, out=x)
assert not {"torch", "jax", "tensorflow", "cupy", "ml_dtypes"} & set(sys.modules)
print(xattn_kit._server.process.pid)
"""


def test_the_judge_ends_with_the_process_and_no_library_is_imported():
    folder = os.path.dirname(os.path.abspath(__file__))
    pid = int(subprocess.run([sys.executable, "-c", LIFE % folder], check=True, stdout=subprocess.PIPE).stdout)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def parts_of(count=3, empty=True):
    """Parts of attention over blocks of keys, the merge of them in float64, and both as float32."""
    outs, lses = draw(count, 2, 3, 5, 6), 3 * draw(count, 2, 3, 5)
    if empty:
        lses[0, :, 1], lses[1, 1, :, 2], lses[:, 0, 2, 4] = -np.inf, -np.inf, -np.inf
        outs[np.isneginf(lses)] = 0
    wide = lses.astype(np.float64)
    lse = np.logaddexp.reduce(wide)
    weights = np.exp(wide - np.where(np.isneginf(lse), 0, lse))
    out = (weights[..., None] * outs).sum(0)
    return outs, lses, out.astype(np.float32), lse.astype(np.float32)


def test_a_merge_passes_in_every_layout_and_format():
    outs, lses, out, lse = parts_of()
    kit.assert_merge(outs, lses, out=out, lse=lse)
    kit.assert_merge(list(outs), list(lses), lse=lse)
    turn = lambda x: x.swapaxes(-2, -3)
    kit.assert_merge(turn(outs), lses, out=turn(out), lse=lse, layout="bshd")
    kit.assert_merge(turn(outs[:, 0]), lses[:, 0], out=turn(out[0]), lse=lse[0], layout="thd")
    halves = kit.bf16(outs)
    weights = np.exp(lses - np.where(np.isneginf(lse), 0, lse))
    kit.assert_merge(halves, lses, out=kit.bf16((weights[..., None] * halves.numbers()).sum(0)), lse=lse)
    poisoned = outs.copy()
    poisoned[np.isneginf(lses)] = np.nan
    kit.assert_merge(poisoned, lses, out=out, lse=lse)


def test_a_wrong_merge_is_named_in_its_layout():
    outs, lses, out, lse = parts_of()
    wrong = out.copy()
    wrong[1, 2, 3, 4] += 1
    with pytest.raises(AssertionError, match=r"(?s)^impossible: out\[1, 2, 3, 4\].*merge of 3 parts, f32, batch 2, heads 3, rows 5, dim 6"):
        kit.assert_merge(outs, lses, out=wrong, lse=lse)
    turn = lambda x: x.swapaxes(-2, -3)
    with pytest.raises(AssertionError, match=r"\n  out\[3, 2, 4\]: "):
        kit.assert_merge(turn(outs[:, 1]), lses[:, 1], out=turn(wrong[1]), layout="thd")
    with pytest.raises(AssertionError, match=r"lse\["):
        kit.assert_merge(outs, lses, lse=lse / np.float32(np.log(2)))
    with pytest.raises(AssertionError):
        kit.assert_merge(outs, lses, out=outs.mean(0))


def test_a_merge_that_makes_no_sense_is_refused_by_name():
    outs, lses, out, _ = parts_of()
    for given, reason in [
        ((outs, lses[:, 0]), "outs, lses expected parts of 4 and 3 axes"), ((outs[:2], lses), "expected \\[parts"),
        (([outs[0], kit.bf16(outs[1])], lses[:2]), "outs expected parts of one format"), (([], lses), "got none"),
    ]:
        with pytest.raises(ValueError, match=reason):
            kit.assert_merge(*given, out=out)
    with pytest.raises(ValueError, match="expected something to judge"):
        kit.assert_merge(outs, lses)
    with pytest.raises(ValueError, match='layout expected "bhsd"'):
        kit.assert_merge(outs, lses, out=out, layout="sbhd")


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("way", ["quotient", "weights", "at-once", "sigmoid"])
def test_merges_as_they_are_written_pass(library, way):
    if library == "torch":
        pytest.importorskip("torch")
    import merge_states

    xp = merge_states.NumPy if library == "numpy" else merge_states.torch_names()
    outs, lses, _, _ = parts_of(5)
    with np.errstate(all="ignore"):
        out, lse = merge_states.merge(xp, way, outs, lses)
    profile = "f32+sigmoid-merge" if way == "sigmoid" else "f32"
    kit.assert_merge(outs, lses, out=out, lse=lse, profile=profile)
    for fault in merge_states.FAULTS if way != "at-once" else ():
        far = lses + np.float32(300 if fault == "no-maximum" else 0)
        if way == "sigmoid" and fault == "no-maximum":
            continue  # a sigmoid takes none
        with np.errstate(all="ignore"):
            out, lse = merge_states.merge(xp, way, outs, far, fault)
        with pytest.raises(AssertionError):
            kit.assert_merge(outs, far, out=out, lse=lse, profile=profile)
