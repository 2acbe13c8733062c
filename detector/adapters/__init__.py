"""Doors to the world outside: one foreign thing a file, none knows another."""
