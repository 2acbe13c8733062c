"""The history of the ledger's tables; `detector.ledger.sqlite` brings a file up to the last."""

HEAD = "0003"
