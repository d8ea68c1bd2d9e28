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


def read_safetensors(path):
    """Tensors of a file by name; BF16 comes as float32, which holds it exactly."""
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    body = data[8 + length :]
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        raw = body[begin:end]
        if entry["dtype"] == "BF16":
            bits = np.frombuffer(raw, "<u2").astype(np.uint32) << 16
            array = bits.view(np.float32)
        else:
            array = np.frombuffer(raw, _PLAIN[entry["dtype"]])
        tensors[name] = array.reshape(entry["shape"])
    return tensors


def write_safetensors(path, tensors):
    """Writes float64, float32 or float16 arrays; anything else is refused."""
    names = {"float64": "F64", "float32": "F32", "float16": "F16"}
    header, parts, at = {}, [], 0
    for name, array in tensors.items():
        array = np.ascontiguousarray(array).reshape(np.shape(array))
        if array.dtype.name not in names:
            raise TypeError("%s expected float64, float32 or float16, got %s" % (name, array.dtype))
        raw = array.tobytes()
        header[name] = {"dtype": names[array.dtype.name], "shape": list(array.shape),
                        "data_offsets": [at, at + len(raw)]}
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
