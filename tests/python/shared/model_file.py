# SPDX-License-Identifier: MIT
"""Model files without vaectl: safetensors with the checksum that vaectl puts into the metadata."""
import json
import struct
import zlib

YOUNG = {"conditional": 0}  # settings that are in a model file only where they are not the default, and those


def load(path):
    """Tensors as {name: (shape, floats)}, in the order of their data, and the metadata, a dictionary of texts."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    metadata = header.pop("__metadata__")
    header = dict(sorted(header.items(), key=lambda item: item[1]["data_offsets"]))
    return {name: (t["shape"], struct.unpack(f"<{(t['data_offsets'][1] - t['data_offsets'][0]) // 4}f",
                                             data[slice(*t["data_offsets"])])) for name, t in header.items()}, metadata


def save(path, tensors, metadata):
    """Writes tensors in the order of the dictionary, and the right checksum."""
    header, data = {}, b""
    for name, (shape, values) in tensors.items():
        packed = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(packed)]}
        data += packed
    crc = zlib.crc32(data, zlib.crc32((metadata["vaectl.config"] + metadata["vaectl.state"]).encode()))
    header["__metadata__"] = {**metadata, "vaectl.crc32": f"{crc:08x}"}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)
