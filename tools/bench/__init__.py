"""Measures how quick, small and patient the function is, beside what one would write instead."""
