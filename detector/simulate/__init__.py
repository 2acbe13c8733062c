"""The county that the demo and the tests live in: seeded, with a truth written where it offends.

It speaks the items, departments and people of `examples/county` and imports no rule.
"""
