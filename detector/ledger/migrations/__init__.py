"""The history of the ledger's tables; `sqlite_file` and `postgres_open` go to the last."""

HEAD = "0011"
