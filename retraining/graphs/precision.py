"""The number format in which a network computes, and whether this processor computes faster in it."""

from __future__ import annotations

import os
from pathlib import Path

# As Linux names them. TensorFlow itself asks for AVX-512 alone, and then imitates bfloat16, slowly.
BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})

CPUINFO = Path("/proc/cpuinfo")


def unsupported_reason(cpuinfo: Path = CPUINFO) -> str:
    """Return why this machine does not compute in bfloat16, or '' if it does.

    `cpuinfo` is a file in the form of Linux's /proc/cpuinfo; elsewhere there is none, and so no bfloat16.
    """
    if os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1").lower() in ("0", "false"):
        return "TF_ENABLE_ONEDNN_OPTS has switched off oneDNN, which computes in it"
    if not BFLOAT16_FLAGS & _flags(cpuinfo):
        return "this processor has neither AVX512_BF16 nor AMX"
    return ""


def _flags(cpuinfo: Path) -> frozenset[str]:
    """Return what the processor can do beyond the ordinary, as Linux says it."""
    if not cpuinfo.is_file():
        return frozenset()
    for line in cpuinfo.read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "flags":
            return frozenset(value.split())
    return frozenset()
