"""Tests: each makes its own data, needs no network and runs on the CPU in seconds."""
