"""Gateways as processes of their own, for tests: started on a free port, stopped by their pid."""
