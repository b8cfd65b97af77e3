"""One metric against one limit, a file for each kind; `..gates` puts them together.

verdicts.py      the three verdicts, and what several timings at once do to them
budgets.py       limits of their own       timings.py      those on latency and steps
regressions.py   limits on what became worse since the last release
"""
