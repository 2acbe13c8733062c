"""Many shards that come to what one would (分片): cases by case, operators by person, departments.

A case's shard judges in order of arrival, and tells the others what concerns their subjects, with
how far it has come (`relay`). Those judge at the watermark, which is the least of all that feed
them, so no race between shards can change a verdict. `layout` names shards and says whose is whose.
"""
