"""The auditors' package: history read from files of any origin and judged by the same engine."""
