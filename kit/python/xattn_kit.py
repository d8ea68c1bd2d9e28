"""Judge a Python implementation of cross-attention: one file, NumPy only (Python 3.8, NumPy 1.20).

    import xattn_kit
    xattn_kit.serve(compute, name="mine", supports=["forward", "f32"], profile="f32")

`compute(case)` gets a Case and returns a dict of arrays by output name (`out`, `lse`, `d_q`, ...), or
raises Unsupported("why"). Run it with `npx xattn gate --candidate 'python3 mine.py'`.
"""
import json
import os
import struct
import sys

import numpy as np


class Unsupported(Exception):
    """Raised by a candidate for a case it does not implement."""


_PLAIN = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "u1", "BOOL": "u1"}


class BFloat16:
    """An array to be written as BF16, each element rounded to the nearest, ties to even."""

    def __init__(self, array):
        exact = np.asarray(array, np.float64)
        self.shape = exact.shape
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
        self.bits = np.where(np.isnan(exact), np.uint16(0x7FC0), halves).astype("<u2")


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


_WRITTEN = {"float64": ("F64", "<f8"), "float32": ("F32", "<f4"), "float16": ("F16", "<f2")}


def _stored(name, array):
    """Dtype, shape and bytes of an array as it is written."""
    if isinstance(array, BFloat16):
        return "BF16", list(array.shape), array.bits.tobytes()
    array = np.asarray(array)
    if array.dtype.name == "bfloat16":
        return "BF16", list(array.shape), array.tobytes()
    if array.dtype.name not in _WRITTEN:
        raise TypeError("%s expected float64, float32, float16 or bf16(array), got %s" % (name, array.dtype))
    dtype, layout = _WRITTEN[array.dtype.name]
    return dtype, list(array.shape), array.astype(layout).tobytes()


def write_safetensors(path, tensors):
    """Writes float64, float32 or float16 arrays, bf16(array), and ml_dtypes.bfloat16 arrays."""
    header, parts, at = {}, [], 0
    for name, array in tensors.items():
        dtype, shape, raw = _stored(name, array)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(raw)]}
        parts.append(raw)
        at += len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    temporary = path + ".tmp"
    with open(temporary, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(parts))
    os.replace(temporary, path)


class Case:
    """One case: the fields of case.json as attributes, and its tensors (None when absent)."""

    TENSORS = ("q k v d_out d_lse bias mask kv_lengths sink dropout_keep media_text media_key "
               "y w_k w_v").split()

    def __init__(self, folder):
        with open(os.path.join(folder, "case.json")) as file:
            parameters = json.load(file)
        self.dim_y = None
        self.__dict__.update(parameters)
        tensors = read_safetensors(os.path.join(folder, "inputs.safetensors"))
        for name in self.TENSORS:
            setattr(self, name, tensors.get(name))

    def visible(self):
        """Who attends to whom, [batch, heads, seq_q, seq_kv] of bool: every mask together."""
        i = np.arange(self.seq_q)[:, None]
        j = np.arange(self.seq_kv)[None, :]
        offset = self.seq_kv - self.seq_q if self.causal == "bottom-right" else 0
        seen = np.ones((self.batch, self.heads, self.seq_q, self.seq_kv), bool)
        if self.mask is not None:
            seen &= self.mask.astype(bool)
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
            text, key = self.media_text[:, :, None], self.media_key[:, None, :]
            seen &= ((text == key) if self.media == "immediate" else (text >= key))[:, None]
        if self.bias is not None:
            seen &= self.bias.astype(np.float64) != -np.inf
        return seen


def serve(compute, name, supports, profile):
    """Speaks protocol 1 until standard input closes. print() in `compute` goes to standard error."""
    replies, sys.stdout = sys.stdout, sys.stderr

    def say(message):
        replies.write(json.dumps(message) + "\n")
        replies.flush()

    say({"xattn": 1, "name": name, "supports": supports, "profile": profile})
    for line in sys.stdin:
        folder = json.loads(line)["case"]
        try:
            case = Case(folder)
            outputs = compute(case)
            wanted = {output: outputs[output] for output in case.wants}
            write_safetensors(os.path.join(folder, "outputs.safetensors"), wanted)
            say({"case": folder, "status": "ok"})
        except Unsupported as reason:
            say({"case": folder, "status": "unsupported", "reason": str(reason)})
        except Exception as error:
            say({"case": folder, "status": "error", "reason": "%s: %s" % (type(error).__name__, error)})
