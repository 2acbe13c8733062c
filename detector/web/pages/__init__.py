"""The pages that people see (页面): the wall, the desk, a case, people, rules, data quality.

Every page is whole without script; modules under `static/` add only what is live.
"""
