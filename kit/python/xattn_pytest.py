"""pytest plugin: verdicts on attention in a test run, reported, and cases drawn by hypothesis.

Copy this file and xattn_kit.py beside your conftest.py, and write in it

    pytest_plugins = ["xattn_pytest"]

A fixture, the assertion of xattn_kit without an import:

    def test_mine(assert_attention):
        assert_attention(q, k, v, out=mine(q, k, v))

An option, for a report of every verdict of the run, in the JSON of `xattn gate --report` or as its page:

    pytest --xattn-report report.json
    pytest --xattn-report report.html

And with hypothesis installed, cases of the features that your kernel has, drawn and shrunk:

    from hypothesis import given, settings
    from xattn_pytest import cases

    @settings(deadline=None)
    @given(cases("gqa causal-bottom-right backward", dtype="bf16"))
    def test_drawn(case):
        q, k, v = (torch.from_numpy(x).bfloat16() for x in (case.q, case.k, case.v))
        case.check(out=mine(q, k, v, causal=case.causal, scale=case.scale))
"""
import json
import os
import subprocess

import numpy as np
import pytest

import xattn_kit

_COUNTED = {"pass": "pass", "improbable": "fail", "impossible": "fail", "broken": "broken", "skip": "skip"}


def pytest_addoption(parser):
    group = parser.getgroup("xattn", "verdicts on attention")
    group.addoption("--xattn-report", metavar="F.json|F.html", help="write every verdict of the run to this file")


def pytest_configure(config):
    path = config.getoption("--xattn-report")
    if path and not path.endswith((".json", ".html")):
        raise pytest.UsageError("--xattn-report expected a name that ends in .json or .html, got %s" % path)
    config._xattn = []
    config._xattn_observe = config._xattn.append
    xattn_kit.observers.append(config._xattn_observe)


def pytest_unconfigure(config):
    if config.__dict__.get("_xattn_observe") in xattn_kit.observers:
        xattn_kit.observers.remove(config._xattn_observe)


@pytest.fixture
def assert_attention():
    """xattn_kit.assert_attention: the verdict on what is given of out, lse, d_q, … or an AssertionError."""
    return xattn_kit.assert_attention


def _reported(verdict):
    fields = ("verdict", "reason", "outputs", "sample", "open", "diagnosis", "replay", "kept")
    kept = {name: verdict[name] for name in fields if name in verdict}
    return dict(id=verdict["test"], profile=verdict["profile"], **kept)


def _summary(verdicts):
    summary = {"pass": 0, "fail": 0, "skip": 0, "broken": 0}
    for verdict in verdicts:
        summary[_COUNTED[verdict["verdict"]]] += 1
    return summary


def _write(path, verdicts, incomplete):
    profiles = sorted({verdict["profile"] for verdict in verdicts})
    report = {"schema": 1, "candidate": "pytest", "profile": " ".join(profiles) or "none"}
    if incomplete:
        report["incomplete"] = incomplete
    report.update(summary=_summary(verdicts), cases=[_reported(one) for one in verdicts])
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path + ".tmp", "w") as file:
        json.dump(report, file, indent=2)
        file.write("\n")
    if path.endswith(".html"):
        _write_page(path)
    else:
        os.replace(path + ".tmp", path)


def _write_page(path):
    """The page of the JSON that lies beside its place."""
    if os.path.exists(path):
        os.remove(path)
    command = xattn_kit._command() + ["merge-reports", path + ".tmp", "--html", path]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if not os.path.exists(path):
        os.replace(path + ".tmp", path + ".json")
        raise pytest.UsageError("--xattn-report: %s; the verdicts are in %s.json" % (done.stderr.strip(), path))
    os.remove(path + ".tmp")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    config = session.config
    if hasattr(config, "workeroutput"):  # a worker of pytest-xdist: the report is the controller's
        config.workeroutput["xattn"] = json.dumps(config._xattn)
        return
    path = config.getoption("--xattn-report")
    if path:
        interrupted = int(exitstatus) in (int(pytest.ExitCode.INTERRUPTED), int(pytest.ExitCode.INTERNAL_ERROR))
        _write(path, config._xattn, "the run was interrupted" if interrupted else None)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    """What a worker of pytest-xdist has judged."""
    node.config._xattn.extend(json.loads(getattr(node, "workeroutput", {}).get("xattn", "[]")))


def pytest_terminal_summary(terminalreporter, config):
    verdicts = config._xattn
    path = config.getoption("--xattn-report")
    if not verdicts and not path:
        return
    counts = ", ".join("%d %s" % (count, name) for name, count in _summary(verdicts).items())
    where = "; %s" % path if path else ""
    terminalreporter.write_sep("-", "xattn: %d verdicts: %s%s" % (len(verdicts), counts, where))


# -- Cases for hypothesis ----------------------------------------------------------------------------

FEATURES = ("backward gqa mask bias causal-top-left causal-bottom-right window softcap sink dropout varlen dlse "
            "media no-keys").split()

_ROUNDED = {"f64": lambda x: x.astype(np.float64), "f32": lambda x: x.astype(np.float32),
            "f16": lambda x: x.astype(np.float16), "bf16": lambda x: xattn_kit.bf16(x).numbers()}

#: Values of queries, keys and values, the plainest first, to which hypothesis shrinks.
_VALUES = {
    "integers": lambda rng, shape: rng.integers(-2, 3, shape).astype(np.float64),
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "peaked": lambda rng, shape: 8 * rng.standard_normal(shape),
    "small": lambda rng, shape: rng.standard_normal(shape) / 1024,
    "negative": lambda rng, shape: -np.abs(rng.standard_normal(shape)) * 4,
}


class DrawnCase:
    """A case drawn: q, k, v, d_out and what else it has, as attributes (None when it has not).

    Arrays are [batch, heads, seq, dim], of float64, float32 or float16; of dtype bf16 they are float32 arrays
    of numbers that bfloat16 holds. `d_out` is there with the feature backward.
    """

    NAMES = ("q k v d_out d_lse scale causal window mask bias softcap sink dropout_keep dropout_rate kv_lengths "
             "media media_text media_key").split()

    def __init__(self, dtype, about, said):
        self.dtype, self.about, self.said = dtype, about, said
        for name in self.NAMES:
            setattr(self, name, said.get(name))

    def __repr__(self):
        return "DrawnCase(%s)" % ", ".join("%s=%r" % item for item in self.about.items())

    def check(self, profile=None, **outputs):
        """Raises AssertionError unless out=…, lse=…, d_q=… are right. The last failing case is kept, one a test."""
        kept = dict(self.said)
        if self.dtype == "bf16":
            reals = ("q", "k", "v", "d_out", "d_lse", "bias", "sink")
            kept.update({name: xattn_kit.bf16(kept[name]) for name in reals if kept.get(name) is not None})
        random = self.about["values"] == "normal"
        return xattn_kit.assert_attention(**kept, **outputs, profile=profile, random=random, keep="last")


def cases(features="", dtype="f32", max_seq=12, max_keys=24, max_dim=16, max_batch=2, max_heads=6):
    """A hypothesis strategy of DrawnCase: each with some of the features named (see FEATURES), down to none."""
    from hypothesis import strategies as st

    words = features.split() if isinstance(features, str) else list(features)
    unknown = [word for word in words if word not in FEATURES]
    if unknown or dtype not in _ROUNDED:
        raise ValueError("cases expected features of %s and a dtype of %s, got %s" % (
            " ".join(FEATURES), " ".join(_ROUNDED), " ".join(unknown) or dtype))

    @st.composite
    def drawn(draw):
        has = {word: word in words and draw(st.booleans(), label=word) for word in FEATURES if word != "backward"}
        whole = lambda low, high: draw(st.integers(low, high))
        kv_heads = whole(1, max(1, max_heads // 2))
        heads = kv_heads * (whole(2, max(2, max_heads // kv_heads)) if has["gqa"] else 1)
        about = dict(batch=whole(1, max_batch), heads=heads, kv_heads=kv_heads, seq_q=whole(1, max_seq),
                     seq_kv=whole(0 if has["no-keys"] else 1, max_keys), head_dim=whole(1, max_dim),
                     head_dim_v=whole(1, max_dim), values=draw(st.sampled_from(list(_VALUES))), seed=whole(0, 2**31))
        about["with"] = " ".join(word for word, there in has.items() if there) or "nothing else"
        extra = {}
        causal = [side for side in ("top-left", "bottom-right") if has["causal-" + side]]
        extra["causal"] = causal[0] if causal else None
        if has["window"]:
            extra["window"] = (whole(-1, max_keys), whole(-1, max_keys))
        if has["softcap"]:
            extra["softcap"] = draw(st.sampled_from([1.0, 0.5, 5.0, 50.0]))
        if has["media"]:
            extra["media"] = draw(st.sampled_from(["immediate", "previous"]))
        return DrawnCase(dtype, about, _numbers(about, dtype, has, extra, "backward" in words))

    return drawn()


def _numbers(about, dtype, has, extra, backward):
    """Arrays of a drawn case, from its seed."""
    rng, exact = np.random.default_rng(about["seed"]), _ROUNDED[dtype]
    batch, heads, rows, keys = about["batch"], about["heads"], about["seq_q"], about["seq_kv"]
    values = lambda *shape: exact(_VALUES[about["values"]](rng, shape))
    normal = lambda *shape: exact(rng.standard_normal(shape))
    # A power of two, which every format of a kernel holds.
    said = dict(extra, scale=2.0 ** -round(np.log2(about["head_dim"]) / 2),
                q=values(batch, heads, rows, about["head_dim"]),
                k=values(batch, about["kv_heads"], keys, about["head_dim"]),
                v=values(batch, about["kv_heads"], keys, about["head_dim_v"]))
    if backward:
        said["d_out"] = normal(batch, heads, rows, about["head_dim_v"])
        if has["dlse"]:
            said["d_lse"] = normal(batch, heads, rows)
    if has["mask"]:
        said["mask"] = rng.random((batch, heads, rows, keys)) < 0.7
    if has["bias"]:
        said["bias"] = normal(1, heads, rows, keys)
    if has["sink"]:
        said["sink"] = normal(heads)
    if has["dropout"]:
        said.update(dropout_keep=rng.random((batch, heads, rows, keys)) < 0.75, dropout_rate=0.25)
    if has["varlen"]:
        said["kv_lengths"] = rng.integers(0, keys + 1, batch)
    if has["media"]:
        said.update(media_text=rng.integers(0, 4, (batch, rows)), media_key=rng.integers(1, 4, (batch, keys)))
    return said
