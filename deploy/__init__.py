"""How Oriole is put on machines: bundle and units, and servers that run without containers."""
