"""The native engine for the Fish Speech family: dual-autoregressive transformer and DAC codec.

Usable as a library. It knows nothing of the server, and needs torch, numpy, tiktoken and safetensors alone.
"""
