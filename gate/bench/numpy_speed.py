"""Attention in NumPy, float64, head by head with BLAS: what the oracle's kernels are compared with.

Reads one JSON object a line on standard input ({"heads", "seq_q", "seq_kv", "head_dim",
"direction", "runs", "check"}), writes {"seconds", "kernel"}: the best of the runs, and which
processor's code OpenBLAS runs (null where that cannot be asked). With "check" a run also compares
every output with the same in float32, by allclose, as one would check a kernel without this
project. The thread count is OPENBLAS_NUM_THREADS'. In place where NumPy can be, one head's scores
at a time, as a good NumPy program would be written.
"""

import ctypes
import json
import sys
import time

import numpy as np


def forward(q, k, v, scale):
    s = q @ k.T
    s *= scale
    m = s.max(axis=1, keepdims=True)
    s -= m
    np.exp(s, out=s)
    l = s.sum(axis=1, keepdims=True)
    s /= l
    return s @ v, (m + np.log(l))[:, 0], s


def backward(q, k, v, do, o, p, scale):
    dv = p.T @ do
    dp = do @ v.T
    dp -= (do * o).sum(axis=1, keepdims=True)
    dp *= p
    dp *= scale
    return dp @ k, dp.T @ q, dv


def outputs(q, k, v, do, scale, backwards):
    for h in range(len(q)):
        o, lse, p = forward(q[h], k[h], v[h], scale)
        yield o
        yield lse
        if backwards:
            yield from backward(q[h], k[h], v[h], do[h], o, p, scale)


def run(heads, seq_q, seq_kv, head_dim, direction, check):
    rng = np.random.default_rng(1)
    q, do = (rng.standard_normal((heads, seq_q, head_dim)) for _ in range(2))
    k, v = (rng.standard_normal((heads, seq_kv, head_dim)) for _ in range(2))
    case = q, k, v, do, head_dim**-0.5, direction != "forward"
    given = [x.astype(np.float32) for x in outputs(*case)] if check else None
    start = time.perf_counter()
    answer = list(outputs(*case))
    if check and not all(np.allclose(x, y, 1e-4, 1e-4) for x, y in zip(given, answer)):
        sys.exit("the float32 copy is not close to what it is a copy of")
    return time.perf_counter() - start


def kernel():
    """The name OpenBLAS gives its kernels, of the library that NumPy has loaded."""
    try:
        with open("/proc/self/maps") as maps:
            libraries = {entry.split()[-1] for entry in maps if "openblas" in entry}
    except OSError:
        return None
    for library in libraries:
        for prefix in ("", "scipy_"):
            for suffix in ("", "64_"):
                name = f"{prefix}openblas_get_corename{suffix}"
                function = getattr(ctypes.CDLL(library), name, None)
                if function is not None:
                    function.restype = ctypes.c_char_p
                    return function().decode()
    return None


for line in sys.stdin:
    case = json.loads(line)
    runs = case.pop("runs")
    seconds = min(run(**case) for _ in range(runs))
    print(json.dumps({"seconds": seconds, "kernel": kernel()}), flush=True)
