"""Backgrounds from other photos of the same place."""
