"""Samples of the network that tells the objects of one class apart."""
