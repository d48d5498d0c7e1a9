"""Measures the function's speed, size and behaviour under quotas, and compares it with alternatives."""
