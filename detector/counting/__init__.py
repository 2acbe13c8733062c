"""Exact counts that learners share: contexts and what is seen in them, relations of steps, cases.

A learner file may import from here as from its kit. Everything counts, so order leaves no trace.
"""
