# SPDX-License-Identifier: MIT
"""Model files without vaectl: safetensors with the checksum that vaectl puts into the metadata."""
import json
import struct
import zlib

YOUNG = {"conditional": 0, "start": "none"}  # settings that are in a model file only where they are not the default, and those


def load(path):
    """Tensors as {name: (shape, floats)}, in the order of their data, and the metadata, a dictionary of texts."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    metadata = header.pop("__metadata__")
    header = dict(sorted(header.items(), key=lambda item: item[1]["data_offsets"]))
    return {name: (t["shape"], struct.unpack(f"<{(t['data_offsets'][1] - t['data_offsets'][0]) // 4}f",
                                             data[slice(*t["data_offsets"])])) for name, t in header.items()}, metadata


def contents_crc(metadata, data):
    """The checksum of format 1, over what its files are believed of."""
    return zlib.crc32(data, zlib.crc32((metadata["vaectl.config"] + metadata["vaectl.state"]).encode()))


def save(path, tensors, metadata):
    """Writes tensors in the order of the dictionary, and the right checksum for the format that the metadata names."""
    header, data, zeros = {}, b"", "0" * 8
    for name, (shape, values) in tensors.items():
        packed = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(packed)]}
        data += packed
    old = metadata["vaectl.format"] == "1"
    header["__metadata__"] = {**metadata, "vaectl.crc32": f"{contents_crc(metadata, data):08x}" if old else zeros}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    size = struct.pack("<Q", len(text))
    if not old:
        place = b'"vaectl.crc32":"'
        crc = zlib.crc32(size + text + data)
        text = text.replace(place + zeros.encode(), place + b"%08x" % crc)
    with open(path, "wb") as file:
        file.write(size + text + data)
