"""Mantra: a low-latency, multi-core trading engine in Python. See docs/ARCHITECTURE.md."""

__version__ = "0.1.0"
