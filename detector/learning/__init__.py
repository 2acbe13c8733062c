"""Limits that are learned from the record (自学习): observed, published day by day, judged.

`shelf` loads the learners of `models/`; `observed` is what they are shown; `epochs` puts into force
what they say, within floor and cap; `desk` walks it all at the watermark.
"""
