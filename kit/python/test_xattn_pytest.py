"""The pytest plugin, in a pytest of its own: the fixture, the report, and cases drawn by hypothesis."""
import json
import os
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))

CONFTEST = 'import sys\nsys.path.insert(0, %r)\npytest_plugins = ["xattn_pytest"]\n' % HERE

TESTS = """
import sys
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
import numpy_attention
import xattn_kit
from xattn_pytest import cases

EVERY = "backward gqa mask bias causal-top-left causal-bottom-right window softcap sink dropout varlen dlse media no-keys"
drawing = settings(deadline=None, max_examples=40, derandomize=True, database=None,
                   suppress_health_check=list(HealthCheck))

def mine(case, T, folder, gate=lambda h, heads, groups: h):
    wants = ["out", "lse"] + (["d_q", "d_k", "d_v"] if case.d_out is not None else [])
    named = {name: value for name, value in case.said.items()}
    xattn_kit.make_case(wants=wants, **named).write(folder)
    one = numpy_attention.Attention(xattn_kit.Case(folder), T, None)
    with np.errstate(all="ignore"):
        out, lse = one.forward()
        outputs = dict(out=out, lse=lse)
        if case.d_out is not None:
            outputs.update(one.backward(out, lse))
    return {name: outputs[name] for name in wants}

def test_fixture(assert_attention):
    x = np.ones((1, 1, 2, 4))
    assert_attention(x, x, x, out=x)

def test_fails(assert_attention):
    x = np.ones((1, 1, 2, 4))
    assert_attention(x, x, x, out=2 * x)

@drawing
@given(cases(EVERY, dtype="f64"))
def test_right(tmp_path_factory, case):
    case.check(**mine(case, np.float64, str(tmp_path_factory.mktemp("case"))))

@drawing
@given(cases(EVERY, dtype="bf16"))
def test_right_of_halves(tmp_path_factory, case):
    outputs = mine(case, np.float32, str(tmp_path_factory.mktemp("case")))
    case.check(profile="f32", **outputs)

@drawing
@given(cases("gqa"))
def test_wrong_heads(case):
    heads, groups = case.q.shape[1], case.k.shape[1]
    of = [h % groups for h in range(heads)]
    s = case.scale * (case.q.astype(float) @ case.k[:, of].swapaxes(2, 3).astype(float))
    p = np.exp(s - s.max(-1, keepdims=True))
    case.check(out=(p / p.sum(-1, keepdims=True) @ case.v[:, of]).astype(np.float32))
"""


def run(folder, *options):
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_attention.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"] + list(options)
    return subprocess.run(command, cwd=str(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_plugin(tmp_path):
    pytest.importorskip("hypothesis")
    done = run(tmp_path, "--xattn-report", "reports/verdicts.json")
    failed = {line.split(" - ")[0] for line in done.stdout.splitlines() if line.startswith("FAILED")}
    assert failed == {"FAILED test_attention.py::test_fails", "FAILED test_attention.py::test_wrong_heads"}, done.stdout
    assert done.returncode == 1
    report = json.loads((tmp_path / "reports/verdicts.json").read_text())
    assert report["schema"] == 1 and "incomplete" not in report
    by_test = {}
    for case in report["cases"]:
        by_test.setdefault(case["id"].split("::")[1], []).append(case)
    assert [one["verdict"] for one in by_test["test_fixture"]] == ["pass"]
    (fails,) = by_test["test_fails"]
    assert fails["verdict"] == "impossible" and fails["outputs"]["out"]["got"] == 2
    assert fails["replay"].startswith("xattn judge out/assert_attention/test_attention-py-test_fails-")
    # Not one verdict each: cases are drawn, and of the wrong ones shrunk to the smallest.
    for name in ("test_right", "test_right_of_halves"):
        assert len(by_test[name]) >= 40 and {one["verdict"] for one in by_test[name]} <= {"pass"}
    last = by_test["test_wrong_heads"][-1]["replay"]
    assert last.startswith("xattn judge out/assert_attention/test_attention-py-test_wrong_heads-last --profile f32")
    kept = tmp_path / "out/assert_attention/test_attention-py-test_wrong_heads-last/case.json"
    shrunk = json.loads(kept.read_text())
    assert [shrunk[name] for name in ("batch", "heads", "kv_heads", "seq_q", "seq_kv", "head_dim_v")] == [1, 4, 2, 1, 1, 1]
    assert len(os.listdir(str(tmp_path / "out/assert_attention"))) == 2
    counts = report["summary"]
    assert counts["pass"] >= 81 and counts["fail"] == len(report["cases"]) - counts["pass"]
    assert "xattn: %d verdicts: %d pass" % (len(report["cases"]), counts["pass"]) in done.stdout


def test_page(tmp_path):
    done = run(tmp_path, "--xattn-report", "report.html", "-k", "test_fails or test_fixture")
    assert done.returncode == 1, done.stdout
    page = (tmp_path / "report.html").read_text()
    assert '<strong id="headline">1 of 2 judged cases are wrong; 1 pass.</strong>' in page
    assert 'data-output="out"' in page and "No pictures" not in page
    assert sorted(os.listdir(str(tmp_path))) == ["conftest.py", "out", "report.html", "test_attention.py"]


def test_refuses_a_format_that_it_does_not_write(tmp_path):
    done = run(tmp_path, "--xattn-report", "report.pdf")
    assert done.returncode == 4 and "expected a name that ends in .json or .html" in done.stdout


def test_refuses_features_that_there_are_not():
    pytest.importorskip("hypothesis")
    import xattn_pytest

    with pytest.raises(ValueError, match="expected features of backward .* got alibi"):
        xattn_pytest.cases("gqa alibi")
    with pytest.raises(ValueError, match="a dtype of f64 f32 f16 bf16, got f8"):
        xattn_pytest.cases("gqa", dtype="f8")
