"""A GGUF file with every tensor in f32: what llama.cpp multiplies without rounding activations.

The metadata and the order of the tensors stay. The `gguf` package reads, dequantises and writes.
"""

from __future__ import annotations

from pathlib import Path

from gguf import GGUFReader, GGUFValueType, GGUFWriter, quants

OWN = ("GGUF.", "general.architecture", "general.file_type", "general.quantization_version")
"""Beginnings of keys that the writer sets itself, or that speak of the quantisation."""


def write(path: Path, out: Path) -> None:
    """Dequantise `path` into `out`, four bytes a weight."""
    reader = GGUFReader(path)
    architecture = reader.fields["general.architecture"].contents()
    writer = GGUFWriter(out, architecture)
    for name, field in reader.fields.items():
        if not name.startswith(OWN):
            inner = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
            writer.add_key_value(name, field.contents(), field.types[0], inner)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, quants.dequantize(tensor.data, tensor.tensor_type))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
