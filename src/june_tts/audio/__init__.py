"""Samples to bytes and back: decode, resample, encode, judge."""
