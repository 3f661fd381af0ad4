"""Whether this machine can compute in bfloat16, a number format that newer processors are faster in."""

from __future__ import annotations

import os
from pathlib import Path

# Linux's names for it. TensorFlow only checks for AVX-512, and then emulates bfloat16, which is slow.
BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})

CPUINFO = Path("/proc/cpuinfo")


def unsupported_reason(cpuinfo: Path = CPUINFO) -> str:
    """Return why this machine cannot compute in bfloat16, or '' if it can.

    `cpuinfo` is a file in the format of Linux's /proc/cpuinfo. Other systems have none, so no bfloat16.
    """
    if os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1").lower() in ("0", "false"):
        return "TF_ENABLE_ONEDNN_OPTS has switched off oneDNN, which computes in it"
    if not BFLOAT16_FLAGS & _flags(cpuinfo):
        return "this processor has neither AVX512_BF16 nor AMX"
    return ""


def _flags(cpuinfo: Path) -> frozenset[str]:
    """Return the processor's special features, by Linux's names; none on other systems."""
    if not cpuinfo.is_file():
        return frozenset()
    for line in cpuinfo.read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "flags":
            return frozenset(value.split())
    return frozenset()
