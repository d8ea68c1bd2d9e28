"""Judge a Python implementation of cross-attention: one file, NumPy only (Python 3.8, NumPy 1.20).

In a test that you have, in place of `allclose`:

    from xattn_kit import assert_attention
    assert_attention(q, k, v, out=out, lse=lse, causal="bottom-right")
    assert_attention(q, k, v, out=out, d_out=d_out, d_q=q.grad, d_k=k.grad, d_v=v.grad)
    assert_merge([out_a, out_b], [lse_a, lse_b], out=out, lse=lse)

NumPy arrays, and tensors of PyTorch, JAX, TensorFlow and CuPy, are taken as they are, bfloat16 and FP8
included. The verdict is that of `xattn judge`, from a process that is started once (`npm install
lv-xattn-oracle`, or XATTN_COMMAND="node path/to/xattn.js").

As a candidate of `xattn gate` and `xattn fuzz`:

    import xattn_kit
    xattn_kit.serve(compute, name="mine", supports=["forward", "f32"], profile="f32")

`compute(case)` gets a Case and returns a dict of arrays by output name (`out`, `lse`, `d_q`, ...), or
raises Unsupported("why"). Run it with `npx xattn gate --candidate 'python3 mine.py'`. A program of
several ranks calls `serve_ranks` on every one of them (kit/rings).
"""
import atexit
import collections
import hashlib
import json
import math
import os
import re
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings

import numpy as np


class Unsupported(Exception):
    """Raised by a candidate for a case it does not implement."""


_PLAIN = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "u1", "BOOL": "u1"}


class Stored:
    """An array as it is stored: its dtype by its name in safetensors, and its bits (or plain numbers)."""

    def __init__(self, dtype, bits):
        self.dtype, self.bits = dtype, bits

    @property
    def shape(self):
        return self.bits.shape

    def moved(self, move):
        """The same elements elsewhere: `move` is applied to the array of bits."""
        return Stored(self.dtype, move(self.bits))

    def numbers(self):
        """What is stored, exactly: float32 for narrower formats."""
        return _values(self.dtype, np.array(self.bits, order="C").tobytes()).reshape(self.bits.shape)


class BFloat16(Stored):
    """An array to be written as BF16, each element rounded to the nearest, ties to even."""

    def __init__(self, array):
        exact = np.asarray(array, np.float64)
        with np.errstate(over="ignore"):
            single = exact.astype(np.float32)
        bits = single.view(np.uint32) if single.flags.c_contiguous else single.copy().view(np.uint32)
        # What float32 rounded off decides a tie, so it is kept as a last, odd bit.
        finite = np.isfinite(single) & np.isfinite(exact)
        inexact = finite & (single.astype(np.float64) != exact)
        outward = inexact & (np.abs(single.astype(np.float64)) > np.abs(exact))
        bits = np.where(inexact, (bits - outward.astype(np.uint32)) | np.uint32(1), bits)
        bits = np.where(np.isinf(single) & np.isfinite(exact), np.uint32(0x7F7FFFFF) | (bits & np.uint32(0x80000000)), bits)
        rounded = bits.astype(np.uint64) + 0x7FFF + ((bits >> np.uint32(16)) & np.uint32(1))
        halves = (rounded >> np.uint64(16)).astype(np.uint16)
        super().__init__("BF16", np.where(np.isnan(exact), np.uint16(0x7FC0), halves).astype("<u2"))


def bf16(array):
    """Marks an output as computed and stored in bfloat16: {"lse": bf16(lse)}."""
    return BFloat16(array)


def _fp8(exponent_bits, fraction_bits, infinities):
    """The 256 values of an 8-bit format; E4M3 has no infinities, only 0x7F and 0xFF are NaN there."""
    code = np.arange(128)
    exponent, fraction = code >> fraction_bits, code & ((1 << fraction_bits) - 1)
    bias = (1 << (exponent_bits - 1)) - 1
    scale = np.exp2(np.maximum(exponent, 1) - float(bias + fraction_bits))
    value = ((exponent > 0) * (1 << fraction_bits) + fraction) * scale
    if infinities:
        top = exponent == (1 << exponent_bits) - 1
        value[top] = np.where(fraction[top] == 0, np.inf, np.nan)
    else:
        value[127] = np.nan
    return np.concatenate([value, -value]).astype(np.float32)


_TABLES = {"F8_E4M3": _fp8(4, 3, False), "F8_E5M2": _fp8(5, 2, True)}


def _values(dtype, raw):
    if dtype == "BF16":
        return (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
    if dtype in _TABLES:
        return _TABLES[dtype][np.frombuffer(raw, "u1")]
    if dtype not in _PLAIN:
        raise TypeError("expected one of %s, got %s" % (" ".join([*_PLAIN, "BF16", *_TABLES]), dtype))
    return np.frombuffer(raw, _PLAIN[dtype])


def read_safetensors(path):
    """Tensors of a file by name, yours to write to; BF16 and FP8 come as float32, which holds them exactly."""
    with open(path, "rb") as file:
        data = bytearray(file.read())
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    body = data[8 + length :]
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        tensors[name] = _values(entry["dtype"], body[begin:end]).reshape(entry["shape"])
    return tensors


_NUMPY = {"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "bool": "BOOL",
          "uint8": "U8", "int32": "I32", "int64": "I64", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2"}
_BITS = dict(_PLAIN, BF16="<u2", F8_E4M3="u1", F8_E5M2="u1")
_TORCH = {"torch.bfloat16": ("BF16", "int16"), "torch.float8_e4m3fn": ("F8_E4M3", "uint8"),
          "torch.float8_e5m2": ("F8_E5M2", "uint8")}
FLOATS = ("F64", "F32", "F16", "BF16")
_FP8 = ("F8_E4M3", "F8_E5M2")


def _package(value):
    return type(value).__module__.split(".")[0]


def stored(name, value):
    """An array or tensor of any of the libraries, as it is stored. Imports none of them."""
    if isinstance(value, Stored):
        return value
    if _package(value) == "torch" or hasattr(value, "detach"):
        value = value.detach().cpu().contiguous()
        if str(value.dtype) in _TORCH:
            dtype, same = _TORCH[str(value.dtype)]
            bits = value.view(getattr(sys.modules["torch"], same)).numpy()
            return Stored(dtype, bits.view(_BITS[dtype]))
        if "float8" in str(value.dtype):
            raise TypeError("%s expected float8_e4m3fn or float8_e5m2 of the FP8 formats, got %s" % (name, value.dtype))
        value = value.resolve_neg().numpy() if hasattr(value, "resolve_neg") else value.numpy()
    elif _package(value) == "cupy":
        value = value.get()
    array = np.asarray(value)
    if array.dtype.kind in "iu" and array.dtype.name not in _NUMPY:
        array = array.astype(np.int64)
    if array.dtype.name not in _NUMPY:
        raise TypeError("%s expected an array of %s, got %s" % (name, " ".join(_NUMPY), array.dtype))
    dtype = _NUMPY[array.dtype.name]
    if dtype in _PLAIN:
        return Stored(dtype, array.astype(_PLAIN[dtype]))
    return Stored(dtype, np.array(array, order="C").view(_BITS[dtype]))


def write_safetensors(path, tensors, metadata=None):
    """Writes arrays of any dtype that `stored` takes, bf16(array) among them; `metadata`: texts by name."""
    header, parts, at = {}, [], 0
    if metadata:
        header["__metadata__"] = metadata
    for name, array in tensors.items():
        kept = stored(name, array)
        raw = np.asarray(kept.bits).tobytes()
        header[name] = {"dtype": kept.dtype, "shape": list(kept.shape), "data_offsets": [at, at + len(raw)]}
        parts.append(raw)
        at += len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    temporary = path + ".tmp"
    with open(temporary, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(parts))
    os.replace(temporary, path)


def write_outputs(folder, outputs, rank=None):
    """Writes outputs.safetensors of a case folder, or a rank's own: arrays of float64, float32, float16 or bfloat16."""
    kept = {name: stored(name, array) for name, array in outputs.items()}
    for name, array in kept.items():
        if array.dtype not in FLOATS:
            raise TypeError("%s expected float64, float32, float16 or bf16(array), got %s" % (name, array.dtype))
    name = "outputs.safetensors" if rank is None else "outputs.rank%d.safetensors" % rank
    write_safetensors(os.path.join(folder, name), kept)


def blocks(sizes):
    """Where ranks' blocks lie: slices, one after another."""
    ends = np.cumsum([0] + list(sizes)).tolist()
    return [slice(start, end) for start, end in zip(ends, ends[1:])]


def pairs(x, rows, keys):
    """The part of these rows and keys of what broadcasts to [batch, heads, seq_q, seq_kv]; as a view, of 4 axes."""
    x = x.reshape((1,) * (4 - len(x.shape)) + tuple(x.shape))
    every = slice(None)
    return x[:, :, rows if x.shape[2] > 1 else every, keys if x.shape[3] > 1 else every]


class Case:
    """One case: the fields of case.json as attributes, and its tensors (None when absent).

    `rows` and `keys` are slices for each rank: its block. Of a sharded candidate `rank` is which of them
    this is, and what is bound to rows or keys is there for its block alone.
    """

    TENSORS = ("q k v d_out d_lse bias mask kv_lengths sink dropout_keep media_text media_key "
               "y w_k w_v outs lses").split()

    def __init__(self, folder, rank=None):
        with open(os.path.join(folder, "case.json")) as file:
            parameters = json.load(file)
        self.dim_y, self.op, self.rank = None, None, rank
        self.__dict__.update(parameters)
        # A step that is asked by itself lies in one file, and not in blocks of ranks.
        whole = rank is None or self.op is not None
        self.rows, self.keys = (blocks(self.partition[by]) if self.op is None else None for by in ("q", "kv"))
        name = "inputs.safetensors" if whole else "inputs.rank%d.safetensors" % rank
        tensors = read_safetensors(os.path.join(folder, name))
        for name in self.TENSORS:
            setattr(self, name, tensors.get(name))

    def visible(self, rows=None, keys=None, media_text=None, media_key=None):
        """Who attends to whom, [batch, heads, seq_q, seq_kv] of bool: every mask together.

        Or of a block alone: slices of rows and keys of the whole case. The positions of images are given
        for that block where the case has others, as a sharded one has.
        """
        rows, keys = rows or slice(0, self.seq_q), keys or slice(0, self.seq_kv)
        i = np.arange(self.seq_q)[rows, None]
        j = np.arange(self.seq_kv)[None, keys]
        offset = self.seq_kv - self.seq_q if self.causal == "bottom-right" else 0
        seen = np.ones((self.batch, self.heads, i.size, j.size), bool)
        if self.mask is not None:
            seen &= pairs(self.mask, rows, keys).astype(bool)
        if self.kv_lengths is not None:
            seen &= (j[None] < self.kv_lengths[:, None, None])[:, None]
        if self.causal != "none":
            seen &= j <= i + offset
        if self.window is not None:
            left, right = self.window
            if left >= 0:
                seen &= j >= i + offset - left
            if right >= 0:
                seen &= j <= i + offset + right
        if self.media is not None:
            text = self.media_text[:, rows] if media_text is None else media_text
            key = self.media_key[:, keys] if media_key is None else media_key
            text, key = text[:, :, None], key[:, None, :]
            seen &= ((text == key) if self.media == "immediate" else (text >= key))[:, None]
        if self.bias is not None:
            seen &= pairs(self.bias, rows, keys) != -np.inf
        return seen


class NewCase:
    """A case to be written: `parameters` is case.json, `tensors` the inputs as they are stored."""

    def __init__(self, parameters, tensors, judging="structured"):
        self.parameters, self.tensors, self.judging = parameters, tensors, judging

    def write(self, folder):
        """Writes case.json and inputs.safetensors; the folder is made when missing."""
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "case.json"), "w") as file:
            json.dump(self.parameters, file, indent=2)
            file.write("\n")
        write_safetensors(os.path.join(folder, "inputs.safetensors"), self.tensors, {"judging": self.judging})


# What holds every number of a format, narrower formats first.
_HOLDS = {"F64": FLOATS, "F32": ("F32", "F16", "BF16") + _FP8, "F16": ("F16",) + _FP8, "BF16": ("BF16",) + _FP8}
_MASKS = ("mask", "dropout_keep")
_INTEGERS = ("kv_lengths", "media_text", "media_key")


def _cast(dtype, array):
    """The same numbers in another format, or None where it does not hold them all."""
    if array.dtype == dtype:
        return array
    exact = array.numbers().astype(np.float64)
    if dtype == "BF16":
        cast = bf16(exact)
    else:
        with np.errstate(over="ignore"):
            cast = Stored(dtype, exact.astype(_PLAIN[dtype]))
    same = array.dtype in _HOLDS[dtype] or np.array_equal(cast.numbers().astype(np.float64), exact, equal_nan=True)
    return cast if same else None


def _case_dtype(reals, first):
    """The first format that holds every number of the inputs, beginning with those named in `first`."""
    order = [dtype for dtype in first if dtype in FLOATS] + ["F16", "BF16", "F32", "F64"]
    for dtype in order:
        cast = {}
        for name, array in reals.items():
            cast[name] = _cast(dtype, array)
            if cast[name] is None:
                break
        else:
            return dtype, cast
    raise TypeError("inputs expected numbers that float64 holds")


def _structure(name, array):
    """A mask as U8, integers as I64."""
    kind = array.bits.dtype.kind
    if array.dtype in FLOATS + _FP8 or kind not in "iub":
        hint = "; a mask of floats that is added is a bias" if name == "mask" else ""
        raise TypeError("%s expected booleans or integers, got %s%s" % (name, array.dtype, hint))
    return Stored("U8", array.bits.astype("u1")) if name in _MASKS else Stored("I64", array.bits.astype("<i8"))


def _causal(causal, seq_q, seq_kv):
    if causal is None or causal is False:
        return "none"
    if causal is not True:
        return causal
    if seq_q == seq_kv:
        return "top-left"
    raise ValueError(
        'causal expected "top-left" (PyTorch) or "bottom-right" (FlashAttention) where there are %d queries '
        "and %d keys, got True" % (seq_q, seq_kv))


def make_case(q, k=None, v=None, *, d_out=None, d_lse=None, bias=None, mask=None, kv_lengths=None, sink=None,
              dropout_keep=None, dropout_rate=0.0, media=None, media_text=None, media_key=None, y=None, w_k=None,
              w_v=None, kv_heads=None, wants=("out",), scale=None, softcap=None, causal=None, window=None,
              partition=None, id="case", judging="structured", prefer=()):
    """A case of arrays of any library, each [batch, heads, seq, dim]; shapes say the rest (spec/case.md).

    `scale` is 1/sqrt(head_dim), `partition` one rank, where nothing is said. Inputs of several formats
    are stored in the first that holds them all, exactly: those of `prefer`, that of q, wider ones.
    `judging="random"` says that values were drawn independently, which makes the bounds sharper.
    With features `y` in place of k and v, `kv_heads` is needed too.
    """
    given = dict(q=q, k=k, v=v, d_out=d_out, d_lse=d_lse, bias=bias, mask=mask, kv_lengths=kv_lengths, sink=sink,
                 dropout_keep=dropout_keep, media_text=media_text, media_key=media_key, y=y, w_k=w_k, w_v=w_v)
    tensors = {name: stored(name, value) for name, value in given.items() if value is not None}
    needed = ("q", "k", "v") if y is None else ("q",)
    for name in needed:
        if name not in tensors:
            raise ValueError("%s expected an array, got none" % name)
        if len(tensors[name].shape) != 4:
            raise ValueError("%s expected 4 axes, got shape %s" % (name, list(tensors[name].shape)))
    structure = {name: _structure(name, tensors.pop(name)) for name in _MASKS + _INTEGERS if name in tensors}
    dtype, reals = _case_dtype(tensors, list(prefer) + [tensors["q"].dtype])
    batch, heads, seq_q, head_dim = reals["q"].shape
    if y is None:
        kv_heads, seq_kv, head_dim_v = reals["k"].shape[1], reals["k"].shape[2], reals["v"].shape[3]
    else:
        if kv_heads is None or w_k is None or w_v is None:
            raise ValueError("y expected w_k, w_v and kv_heads beside it")
        seq_kv, head_dim_v = reals["y"].shape[1], reals["w_v"].shape[1] // kv_heads
    parameters = {
        "schema": 1, "id": id, "dtype": dtype.lower(), "batch": batch, "heads": heads, "kv_heads": kv_heads,
        "seq_q": seq_q, "seq_kv": seq_kv, "head_dim": head_dim, "head_dim_v": head_dim_v,
        "scale": 1 / math.sqrt(head_dim) if scale is None else float(scale),
        "softcap": 0 if softcap is None else float(softcap), "causal": _causal(causal, seq_q, seq_kv),
        "window": None if window is None else [int(side) for side in window], "media": media,
        "dropout_rate": float(dropout_rate), "wants": list(wants),
        "partition": partition or {"ranks": 1, "q": [seq_q], "kv": [seq_kv]},
    }
    if y is not None:
        parameters["dim_y"] = reals["y"].shape[2]
    return NewCase(parameters, dict(reals, **structure), judging)


def _stacked(name, given):
    """Parts as one array: given so, or as a list of arrays of one format."""
    if not isinstance(given, (list, tuple)):
        return stored(name, given)
    parts = [stored(name, one) for one in given]
    if len({part.dtype for part in parts}) != 1 or len({part.shape for part in parts}) != 1:
        told = " ".join("%s%s" % (part.dtype, list(part.shape)) for part in parts)
        raise ValueError("%s expected parts of one format and one shape, got %s" % (name, told or "none"))
    return Stored(parts[0].dtype, np.stack([part.bits for part in parts]))


def make_merge(outs, lses, *, wants=("out", "lse"), id="merge", judging="structured", prefer=()):
    """The merge of partial results as a case (spec/case.md): outs [parts, batch, heads, seq, dim], lses without dim.

    Each may be a list of parts. LSEs are stored as F32, or where that does not hold them as F64, with all else.
    """
    outs, lses = _stacked("outs", outs), _stacked("lses", lses)
    if len(outs.shape) != 5 or outs.shape[:4] != lses.shape:
        raise ValueError("outs, lses expected [parts, batch, heads, seq, dim] and [parts, batch, heads, seq], got %s and %s"
                         % (list(outs.shape), list(lses.shape)))
    dtype, reals = _case_dtype({"outs": outs}, list(prefer) + [outs.dtype])
    sums = _cast("F64" if dtype == "F64" else "F32", lses)
    if sums is None:
        dtype, reals, sums = "F64", {"outs": _cast("F64", outs)}, _cast("F64", lses)
    _, batch, heads, seq_q, head_dim_v = outs.shape
    parameters = {"schema": 1, "id": id, "op": "merge", "dtype": dtype.lower(), "batch": batch, "heads": heads,
                  "seq_q": seq_q, "head_dim_v": head_dim_v, "wants": list(wants)}
    return NewCase(parameters, dict(reals, lses=sums), judging)


# -- The judge ---------------------------------------------------------------------------------------


class JudgeUnavailable(RuntimeError):
    """The judge could not be started, died, or took too long: no verdict, for or against."""


class NotAllJudged(UserWarning):
    """A verdict that passes, and says nothing of some elements."""


def _command():
    """The command that runs xattn: XATTN_COMMAND, the package installed here or above, or the path's."""
    if os.environ.get("XATTN_COMMAND"):
        return shlex.split(os.environ["XATTN_COMMAND"])
    for start in (os.getcwd(), os.path.dirname(os.path.abspath(__file__))):
        folder = start
        while True:
            program = os.path.join(folder, "node_modules", ".bin", "xattn")
            if os.path.exists(program):
                return [program]
            if os.path.dirname(folder) == folder:
                break
            folder = os.path.dirname(folder)
    return [shutil.which("xattn")] if shutil.which("xattn") else ["npx", "--no", "xattn"]


_HELP = "install it (npm install lv-xattn-oracle, Node 20 or newer), or say where it is: XATTN_COMMAND='node …/xattn.js'"


class _Server:
    """`xattn judge --serve`, asked from any thread; answers by id."""

    def __init__(self):
        self.lock, self.pending, self.next_id = threading.Lock(), {}, 0
        self.log, self.gone = collections.deque(maxlen=20), False
        command = _command() + ["judge", "--serve"]
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        except OSError as error:
            raise JudgeUnavailable("the judge could not be started: %s; %s" % (error, _HELP))
        for read in (self._answers, self._complaints):
            threading.Thread(target=read, daemon=True).start()

    def _answers(self):
        for line in self.process.stdout:
            try:
                answer = json.loads(line.decode("utf-8", "replace"))
                waiting = self.pending.pop(answer["id"])
            except (ValueError, KeyError, TypeError):
                self.log.append(line.decode("utf-8", "replace").rstrip())
                continue
            waiting.append(answer)
            waiting.event.set()
        self.process.wait()
        with self.lock:
            self.gone = True
            left, self.pending = self.pending, {}
        for waiting in left.values():
            waiting.event.set()

    def _complaints(self):
        for line in self.process.stderr:
            text = line.decode("utf-8", "replace").rstrip()
            self.log.append(text)
            try:
                print(text, file=sys.stderr)
            except ValueError:  # closed, and what is not read would stop the judge
                pass

    def ask(self, request):
        waiting = _Waiting()
        with self.lock:
            self.next_id += 1
            if self.gone:
                raise self.died()
            self.pending[self.next_id] = waiting
            line = json.dumps(dict(request, id=self.next_id)) + "\n"
            try:
                self.process.stdin.write(line.encode())
                self.process.stdin.flush()
            except OSError:
                self.pending.pop(self.next_id, None)
                raise self.died()
        return waiting

    def answer(self, waiting, timeout):
        if not waiting.event.wait(timeout):
            raise JudgeUnavailable("the judge has not answered for %g s; rows= and keys= take a sample" % timeout)
        if not waiting:
            raise self.died()
        return waiting[0]

    def died(self):
        return JudgeUnavailable("the judge ended: %s; %s" % (" | ".join(self.log) or "without a word", _HELP))

    def end(self):
        """Its input is closed, which ends it; what it still judges is not waited for."""
        try:
            self.process.stdin.close()
            self.process.wait(1)
        except (OSError, subprocess.TimeoutExpired):
            pass
        if self.process.poll() is None:
            if hasattr(os, "killpg"):
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()
            self.process.wait()


class _Waiting(list):
    def __init__(self):
        super().__init__()
        self.event = threading.Event()


_server, _server_of, _starting = None, None, threading.Lock()


def _serving():
    """The server of this process, started at the first call, and again where it has ended."""
    global _server, _server_of
    with _starting:
        if _server is None or _server_of != os.getpid() or _server.gone:
            _server, _server_of = _Server(), os.getpid()
        return _server


@atexit.register
def end_judge():
    """Ends the judge's process; the next question starts another. Done at exit."""
    global _server
    with _starting:
        ended, _server = _server, None
    if ended is not None and _server_of == os.getpid():
        ended.end()


def ask_judge(folder, profile, rows=None, keys=None):
    """Begins to judge the outputs in a case folder; call what it returns for the verdict, a dict.

    Fields of the verdict: verdict, reason, outputs, diagnosis, replay, and sample, open where there are
    any (README). ValueError: the folder or the sample makes no sense. `rows`, `keys`: how many, or which.
    """
    server = _serving()
    request = {"case": os.path.abspath(folder), "profile": profile}
    for name, size in (("rows", rows), ("keys", keys)):
        if size is not None:
            request[name] = [int(at) for at in size] if hasattr(size, "__len__") else int(size)
    waiting = server.ask(request)

    def verdict(timeout=None):
        answer = server.answer(waiting, float(timeout or os.environ.get("XATTN_TIMEOUT_S", 600)))
        answer.pop("id")
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer

    return verdict


def judge(folder, profile, rows=None, keys=None, timeout=None):
    """The verdict on the outputs in a case folder, as ask_judge says."""
    return ask_judge(folder, profile, rows, keys)(timeout)


# -- Layouts -----------------------------------------------------------------------------------------

_BY_ROWS = ("q", "d_out", "out", "d_q", "d_lse", "lse")
_BY_KEYS = ("k", "v", "d_k", "d_v")
_OUTPUTS = ("out", "lse", "d_q", "d_k", "d_v", "d_bias", "d_sink")


class _Part:
    """One case of a call: inputs and outputs as [batch, heads, seq, dim], and where they lie in the caller's."""

    def __init__(self, tensors, outputs, place, about=""):
        self.tensors, self.outputs, self.place, self.about = tensors, outputs, place, about


def _dense(tensors, outputs, layout):
    if layout == "bhsd":
        return [_Part(tensors, outputs, lambda name, at: at)]
    swap = lambda array: array.moved(lambda bits: bits.swapaxes(1, 2)) if len(array.shape) == 4 else array
    turned = lambda arrays: {n: swap(a) if n in _BY_ROWS + _BY_KEYS else a for n, a in arrays.items()}
    place = lambda name, at: [at[0], at[2], at[1], at[3]] if len(at) == 4 and name in _BY_ROWS + _BY_KEYS else at
    return [_Part(turned(tensors), turned(outputs), place)]


def _offsets(name, given, tokens):
    if given is None:
        raise ValueError('%s expected offsets with layout "thd", got none' % name)
    at = stored(name, given)
    ends = at.bits.tolist() if at.dtype in ("I32", "I64") and len(at.shape) == 1 else []
    if len(ends) < 2 or ends[0] != 0 or ends[-1] != tokens or any(a > b for a, b in zip(ends, ends[1:])):
        raise ValueError("%s expected integers that rise from 0 to %d, got %s" % (name, tokens, str(given)[:200]))
    return ends


def _packed(tensors, outputs, cu_seqlens_q, cu_seqlens_kv):
    """One case for each sequence of packed ones: they see only themselves, and are aligned by themselves."""
    for name in ("mask", "bias", "dropout_keep", "kv_lengths", "media_text", "media_key"):
        if name in tensors:
            raise ValueError('%s expected none with layout "thd", got one; judge its sequences one by one' % name)
    for name in ("d_bias", "d_sink"):
        if name in outputs:
            raise ValueError('%s expected none with layout "thd", where it is a sum over sequences' % name)
    for name, array in list(tensors.items()) + list(outputs.items()):
        axes = 2 if name in ("lse", "d_lse") else 3
        if name in _BY_ROWS + _BY_KEYS and len(array.shape) != axes:
            shape = "[heads, tokens]" if axes == 2 else "[tokens, heads, dim]"
            raise ValueError('%s expected %s with layout "thd", got shape %s' % (name, shape, list(array.shape)))
    rows = _offsets("cu_seqlens_q", cu_seqlens_q, tensors["q"].shape[0])
    keys = _offsets("cu_seqlens_kv", cu_seqlens_kv, tensors["k"].shape[0])
    if len(rows) != len(keys):
        raise ValueError("cu_seqlens_kv expected %d offsets, as cu_seqlens_q has, got %d" % (len(rows), len(keys)))
    parts = []
    for n in range(len(rows) - 1):
        part = _sequence(tensors, outputs, (rows[n], rows[n + 1]), (keys[n], keys[n + 1]))
        part.about = "sequence %d of %d (queries %d..%d, keys %d..%d): " % (
            n, len(rows) - 1, rows[n], rows[n + 1], keys[n], keys[n + 1])
        if part.outputs:
            parts.append(part)
    return parts


def _sequence(tensors, outputs, rows, keys):
    def cut(name, array):
        if name not in _BY_ROWS + _BY_KEYS:
            return array
        begin, end = rows if name in _BY_ROWS else keys
        if len(array.shape) == 2:
            return array.moved(lambda bits: bits[None, :, begin:end])
        return array.moved(lambda bits: bits[begin:end].swapaxes(0, 1)[None])

    def place(name, at):
        token = (rows if name in _BY_ROWS else keys)[0] + at[2]
        return [at[1], token] if len(at) == 3 else [token, at[1], at[3]]

    inner = {name: cut(name, array) for name, array in tensors.items()}
    judged = {name: cut(name, array) for name, array in outputs.items()}
    if rows[0] == rows[1]:
        # Nobody asks: of the gradients of its keys it is known that they are 0, as of one row that sees nothing.
        blank = lambda shape: Stored(tensors["q"].dtype, np.zeros(shape, tensors["q"].bits.dtype))
        heads, dim = tensors["q"].shape[1:]
        inner.update(q=blank((1, heads, 1, dim)), mask=Stored("U8", np.zeros((1, 1), "u1")))
        if "d_out" in inner:
            inner["d_out"] = blank((1, heads, 1, tensors["v"].shape[2]))
        inner.pop("d_lse", None)
        judged = {name: array for name, array in judged.items() if name in _BY_KEYS}
    return _Part(inner, judged, place)


def unpage(cache, block_table, lengths):
    """Blocks of a paged cache as packed keys (or values): ([tokens, kv_heads, dim], cu_seqlens_kv).

    `cache` is [blocks, block_size, kv_heads, dim], `block_table` [batch, blocks of a sequence] of integers,
    `lengths` [batch]. For assert_attention with layout="thd": a decoding step has
    cu_seqlens_q=range(batch + 1) and q as [batch, heads, dim].
    """
    pages, table, ends = stored("cache", cache), stored("block_table", block_table), stored("lengths", lengths)
    if len(pages.shape) != 4 or len(table.shape) != 2 or ends.shape != table.shape[:1]:
        raise ValueError("cache, block_table, lengths expected 4, 2 and 1 axes, got shapes %s %s %s" % (
            list(pages.shape), list(table.shape), list(ends.shape)))
    blocks, size = pages.shape[:2]
    picked, offsets = [], [0]
    for row, length in zip(table.bits, ends.bits.tolist()):
        used = row[: -(-length // size)] if length >= 0 else row
        if length < 0 or length > size * len(row):
            raise ValueError("lengths expected 0..%d, got %d" % (size * len(row), length))
        if any(block < 0 or block >= blocks for block in used.tolist()):
            raise ValueError("block_table expected blocks 0..%d, got %s" % (blocks - 1, used.tolist()))
        picked.append(pages.bits[used.astype(np.int64)].reshape((-1,) + pages.shape[2:])[:length])
        offsets.append(offsets[-1] + length)
    return Stored(pages.dtype, np.concatenate(picked)), np.array(offsets, np.int64)


# -- The assertion -----------------------------------------------------------------------------------

PROFILES = {"F64": "f64", "F32": "f32", "F16": "f16", "BF16": "bf16"}

#: Called with each verdict of assert_attention, a dict with "test", "case" and "profile" beside its own fields.
observers = []


def _test_name():
    """`tests/test_x.py::test_a[3]` as pytest tells it, fit for a folder's name."""
    now = os.environ.get("PYTEST_CURRENT_TEST", "").rsplit(" ", 1)[0]
    return now or "attention"


def _keep(folder, test, only_last):
    """A failing case, moved to where it stays: under XATTN_OUT, by default out/assert_attention."""
    digest = hashlib.sha256()
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            digest.update(file.read())
    name = re.sub(r"[^A-Za-z0-9_]+", "-", test.split("/")[-1]).strip("-")[-100:]
    kept = os.path.join(os.environ.get("XATTN_OUT", os.path.join("out", "assert_attention")),
                        "%s-%s" % (name or "attention", "last" if only_last else digest.hexdigest()[:8]))
    _put(folder, kept)
    return kept


def _put(folder, place):
    """Moves a folder into its place, in that of an earlier one; other threads and processes may do the same."""
    around = os.path.dirname(place) or "."
    os.makedirs(around, exist_ok=True)
    stage = tempfile.mkdtemp(prefix=".xattn-", dir=around)
    try:
        ready = os.path.join(stage, "new")
        shutil.move(folder, ready)
        for n in range(1000):
            try:
                os.rename(ready, place)
                return
            except OSError:
                pass  # something is there
            try:
                os.rename(place, os.path.join(stage, "old%d" % n))
            except FileNotFoundError:
                pass  # another thread was quicker
        raise OSError("%s expected a place for a folder" % place)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _worst_line(name, found, place):
    at = "[%s]" % ", ".join(map(str, place(name, found["worst_index"])))
    size = found["max_bound_fraction"]
    size = "%.4g times the bound" % size if isinstance(size, (int, float)) else "no bound allows it"
    return "%s%s: expected %s, got %s (%s)" % (name, at, found["expected"], found["got"], size)


def _told(case):
    """What a case is, on one line."""
    p = case.parameters
    if "op" in p:
        return "%s of %d parts, %s, batch %d, heads %d, rows %d, dim %d" % (
            p["op"], case.tensors["outs"].shape[0], p["dtype"], p["batch"], p["heads"], p["seq_q"], p["head_dim_v"])
    inputs = " ".join(n for n in case.tensors if n not in ("q", "k", "v", "d_out"))
    return "%s, batch %d, heads %d/%d, seq %dx%d, dim %d/%d, scale %.6g%s%s%s" % (
        p["dtype"], p["batch"], p["heads"], p["kv_heads"], p["seq_q"], p["seq_kv"], p["head_dim"], p["head_dim_v"],
        p["scale"], ", softcap %g" % p["softcap"] if p["softcap"] else "",
        ", causal %s" % p["causal"] if p["causal"] != "none" else "", ", with " + inputs if inputs else "")


def _message(part, case, verdict, replay):
    """The reason, the worst element of each output in the caller's layout, and what judges it again."""
    beyond = lambda found: isinstance(found["max_bound_fraction"], str) or found["max_bound_fraction"] > 1
    lines = ["%s%s: %s" % (part.about, verdict["verdict"], verdict["reason"])]
    worst = {n: f for n, f in verdict["outputs"].items() if beyond(f)}
    lines += ["  " + line for line in (_worst_line(n, f, part.place) for n, f in worst.items())
              if not verdict["reason"].startswith(line.split(":")[0] + ":")]
    if verdict.get("diagnosis"):
        lines.append("  %s" % verdict["diagnosis"])
    lines.append("  " + _told(case))
    command = _command()
    program = ["npx", "xattn"] if os.path.basename(command[0]) == "xattn" else command
    lines.append("  again: %s %s" % (" ".join(map(shlex.quote, program)), replay))
    return "\n".join(lines)


def _cases_of(tensors, outputs, layout, packing, parameters):
    if layout == "thd":
        parts = _packed(tensors, outputs, *packing)
    elif layout in ("bhsd", "bshd"):
        parts = _dense(tensors, outputs, layout)
    else:
        raise ValueError('layout expected "bhsd", "bshd" or "thd", got %r' % (layout,))
    return [(part, make_case(wants=[n for n in _OUTPUTS if n in part.outputs], **dict(part.tensors, **parameters)))
            for part in parts]


def assert_attention(q, k, v, *, out=None, lse=None, d_out=None, d_lse=None, d_q=None, d_k=None, d_v=None,
                     d_bias=None, d_sink=None, scale=None, causal=None, window=None, mask=None, bias=None,
                     softcap=None, sink=None, dropout_keep=None, dropout_rate=None, kv_lengths=None, media=None,
                     media_text=None, media_key=None, layout="bhsd", cu_seqlens_q=None, cu_seqlens_kv=None,
                     profile=None, rows=None, keys=None, random=False, keep=None, timeout=None):
    """Raises AssertionError unless what is given of out, lse, d_q, … is attention of q, k, v, within the bounds.

    Layouts: "bhsd" [batch, heads, seq, dim]; "bshd" [batch, seq, heads, dim]; "thd" [tokens, heads, dim] of
    sequences packed by `cu_seqlens_q` and `cu_seqlens_kv`. lse is [batch, heads, seq] ("thd": [heads,
    tokens]), natural logarithm. mask (true = attend), bias and dropout_keep broadcast to [batch, heads,
    seq_q, seq_kv]. window is (left, right), -1 unbounded. Gradients need the cotangent d_out, of random
    numbers better than of ones. What each is: spec/attention.md.

    `profile`: the precision of the kernel, f64 f32 tf32 f16 bf16, with options such as
    "bf16+stored-partials" (spec/bounds.md); by default the format of q. `rows`, `keys`: judge only so many.
    `random=True`: values were drawn independently, so a sharper bound holds. `keep="last"`: of the failing
    cases of a test only the last is kept, as is of use where something draws them.

    Returns the verdicts. ValueError and TypeError: the call makes no sense. JudgeUnavailable: no verdict.
    """
    __tracebackhide__ = True
    given = dict(q=q, k=k, v=v, d_out=d_out, d_lse=d_lse, mask=mask, bias=bias, sink=sink, kv_lengths=kv_lengths,
                 dropout_keep=dropout_keep, media_text=media_text, media_key=media_key)
    tensors = {name: stored(name, value) for name, value in given.items() if value is not None}
    answers = dict(out=out, lse=lse, d_q=d_q, d_k=d_k, d_v=d_v, d_bias=d_bias, d_sink=d_sink)
    outputs = {name: stored(name, value) for name, value in answers.items() if value is not None}
    if not outputs:
        raise ValueError("expected something to judge: out, lse, d_q, …; a gradient that is None was never computed")
    if (dropout_keep is None) != (dropout_rate is None):
        raise ValueError("dropout_keep and dropout_rate expected each other, got one of them")
    if d_out is None and any(name.startswith("d_") for name in outputs):
        raise ValueError("gradients expected the cotangent d_out, got none")
    dtype = tensors["q"].dtype
    if profile is None and dtype not in PROFILES:
        raise ValueError('profile expected f16, bf16 or f32 for inputs of %s, such as profile="bf16"' % dtype)
    profile = profile or PROFILES[dtype]
    base = str(profile.get("base") if isinstance(profile, dict) else profile).split("+")[0].upper()
    prefer = [dtype] + ([base] if dtype in _FP8 and base in ("F16", "BF16") else [])
    parameters = dict(scale=scale, causal=causal, window=window, softcap=softcap, media=media, prefer=prefer,
                      dropout_rate=dropout_rate or 0.0, judging="random" if random else "structured")
    cases = _cases_of(tensors, outputs, layout, (cu_seqlens_q, cu_seqlens_kv), parameters)
    if not cases:
        raise ValueError("expected something to judge, got sequences without a query")
    return _judged(cases, profile, (rows, keys), keep, timeout)


def assert_merge(outs, lses, *, out=None, lse=None, layout="bhsd", profile=None, random=False, keep=None, timeout=None):
    """Raises AssertionError unless out and lse are the merge of partial results (outs, lses), within the bounds.

    `outs` is a list of parts or an array of them, each in the layout: "bhsd" [batch, heads, seq, dim]; "bshd" [batch,
    seq, heads, dim]; "thd" [tokens, heads, dim]. `lses` likewise, [batch, heads, seq] ("thd": [heads, tokens]), natural
    logarithm; -inf of a part that has seen no key. The merge by a difference, out - sigmoid(lse_b - lse)(out - out_b),
    is to be declared: profile="f32+sigmoid-merge". The rest is as in assert_attention.
    """
    __tracebackhide__ = True
    parts, sums = _stacked("outs", outs), _stacked("lses", lses)
    answers = {name: stored(name, value) for name, value in dict(out=out, lse=lse).items() if value is not None}
    if not answers:
        raise ValueError("expected something to judge: out, lse")
    axes = {"bhsd": 4, "bshd": 4, "thd": 3}
    if layout not in axes:
        raise ValueError('layout expected "bhsd", "bshd" or "thd", got %r' % (layout,))
    if len(parts.shape) != axes[layout] + 1 or len(sums.shape) != axes[layout]:
        raise ValueError('outs, lses expected parts of %d and %d axes with layout "%s", got shapes %s and %s' % (
            axes[layout], axes[layout] - 1, layout, list(parts.shape[1:]), list(sums.shape[1:])))
    place = lambda name, at: at
    turn = alone = lambda bits: bits
    if layout == "bshd":
        turn = lambda bits: np.moveaxis(bits, -2, -3)
        place = lambda name, at: [at[0], at[2], at[1], at[3]] if len(at) == 4 else at
    elif layout == "thd":
        turn, alone = lambda bits: np.moveaxis(bits, -2, -3)[..., None, :, :, :], lambda bits: bits[..., None, :, :]
        place = lambda name, at: [at[2], at[1], at[3]] if len(at) == 4 else at[1:]
    moved = {name: array.moved(turn if name == "out" else alone) for name, array in answers.items()}
    dtype = parts.dtype
    if profile is None and dtype not in PROFILES:
        raise ValueError('profile expected f16, bf16 or f32 for parts of %s, such as profile="bf16"' % dtype)
    judging = "random" if random else "structured"
    case = make_merge(parts.moved(turn), sums.moved(alone), wants=[n for n in _OUTPUTS if n in moved], judging=judging,
                      prefer=[dtype])
    return _judged([(_Part({}, moved, place), case)], profile or PROFILES[dtype], (None, None), keep, timeout)


def _judged(cases, profile, sample, keep, timeout):
    """Every case asked at once; one AssertionError for all that fail."""
    __tracebackhide__ = True
    scratch = tempfile.mkdtemp(prefix="xattn-")
    try:
        asked = []
        for n, (part, case) in enumerate(cases):
            folder = os.path.join(scratch, str(n))
            case.write(folder)
            write_outputs(folder, part.outputs)
            asked.append((part, case, folder, ask_judge(folder, profile, *sample)))
        return _settled(asked, profile, keep, timeout)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _replay(folder, kept, verdict, profile):
    """`judge out/… --profile bf16`: what the server said, of the place where the case is kept."""
    said = "xattn judge %s " % shlex.quote(folder)
    options = "--profile %s" % (profile if isinstance(profile, str) else profile.get("base"))
    if (verdict["replay"] or "").startswith(said):
        options = verdict["replay"][len(said):]
    return "judge %s %s" % (shlex.quote(kept), options)


def _settled(asked, profile, keep, timeout):
    __tracebackhide__ = True
    verdicts, failures, test = [], [], _test_name()
    for part, case, folder, verdict_of in asked:
        verdict = verdict_of(timeout)
        if verdict["verdict"] != "pass":
            verdict["kept"] = _keep(folder, test, keep == "last")
            replay = _replay(folder, verdict["kept"], verdict, profile)
            failures.append(_message(part, case, verdict, replay))
            verdict["replay"] = "xattn " + replay
        elif "open" in verdict:
            warnings.warn(part.about + verdict["reason"], NotAllJudged, stacklevel=4)
        verdicts.append(verdict)
        for observe in observers:
            named = profile if isinstance(profile, str) else json.dumps(profile)
            observe(dict(verdict, test=test, case=case.parameters, profile=named))
    if not failures:
        return verdicts
    more = "\n%d of %d sequences fail" % (len(failures), len(asked)) if len(asked) > 1 else ""
    raise AssertionError("\n".join(failures[:3]) + more)


# -- Candidates --------------------------------------------------------------------------------------


def _speaking():
    """What says a line of the protocol; from now on print() goes to standard error."""
    replies, sys.stdout = sys.stdout, sys.stderr

    def say(message):
        replies.write(json.dumps(message) + "\n")
        replies.flush()

    return say


def _hello(name, supports, profile, **more):
    return dict({"xattn": 1, "name": name, "supports": list(supports), "profile": profile}, **more)


def serve(compute, name, supports, profile, ranks=None):
    """Speaks protocol 1 until standard input closes. print() in `compute` goes to standard error.

    `ranks`: on which numbers of ranks it runs, all of them in this process; cases are dealt over those.
    """
    say = _speaking()
    say(_hello(name, supports, profile, **({} if ranks is None else {"ranks": ranks})))
    for line in sys.stdin:
        folder = json.loads(line)["case"]
        try:
            case = Case(folder)
            outputs = compute(case)
            wanted = {output: outputs[output] for output in case.wants}
            write_outputs(folder, wanted)
            say({"case": folder, "status": "ok"})
        except Unsupported as reason:
            say({"case": folder, "status": "unsupported", "reason": str(reason)})
        except Exception as error:
            say({"case": folder, "status": "error", "reason": "%s: %s" % (type(error).__name__, error)})


#: Outputs that rank 0 has whole, summed over ranks; of all others each rank has its block.
SUMMED = ("d_bias", "d_sink", "d_w_k", "d_w_v")


def serve_ranks(compute, rank, size, share, name, supports, profile):
    """Speaks protocol 1 as a program of several ranks, each of which calls this: rank 0 is asked, all compute.

    `share(x)` is a collective: the list of what every rank has passed, in the order of ranks.
    `compute(case)` gets a Case of this rank's blocks and returns them by output name; of the sums
    over ranks (SUMMED) only rank 0's are looked at. Unsupported is to be raised on all ranks alike. Any
    other exception ends this process, and with it the others: launchers see to that, and `launch` does.
    """
    _end_with_parent()
    say = _speaking()
    if rank == 0:
        say(_hello(name, supports, profile, ranks=[size], sharded=True))
    while True:
        line = sys.stdin.readline() if rank == 0 else ""
        folder = share(json.loads(line)["case"] if line.strip() else None)[0]
        if folder is None:
            return
        answer = {"status": "ok"}
        try:
            case = Case(folder, rank)
            outputs = compute(case)
            mine = [output for output in case.wants if rank == 0 or output not in SUMMED]
            write_outputs(folder, {output: outputs[output] for output in mine}, rank)
        except Unsupported as reason:
            answer = {"status": "unsupported", "reason": str(reason)}
        except Exception:
            # The other ranks wait for this one in the middle of something: no answer can be agreed on.
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        answers = share(answer)
        if rank == 0:
            say(dict(next((one for one in answers if one["status"] != "ok"), answer), case=folder))


def _end_with_parent():
    """A rank whose launcher is gone, killed perhaps, waits for nobody any more."""
    parent = os.getppid()

    def watch():
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def launch(ranks):
    """(rank, size) of this process, as torchrun has set them; without torchrun, of this machine, this is its like.

    Starts this program again as ranks 1 to ranks - 1, with RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT
    in their environment and in this one's. When one of them fails, this process ends.
    """
    if "RANK" in os.environ:
        return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.update(WORLD_SIZE=str(ranks), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK="0")
    for rank in range(1, ranks):
        child = subprocess.Popen([sys.executable] + sys.argv, stdin=subprocess.DEVNULL, stdout=sys.stderr,
                                 env=dict(os.environ, RANK=str(rank)))
        threading.Thread(target=lambda child=child: child.wait() and os._exit(1), daemon=True).start()
    return 0, ranks
