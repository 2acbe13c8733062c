"""JSON Schemas of what a district writes in TOML, so that an editor completes and checks it.

They are made of the constants that the readers use. A schema refuses less than its reader: it
cannot see another key, another file or the calendar. What it refuses, the reader refuses too.
"""
