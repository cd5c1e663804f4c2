"""The local stack: every service and process of gamemetrics on one machine, without Docker or root.

`python -m gamemetrics.stack up | down | status`. Needs no Django, and `down` nothing but the
standard library, so that it can stop what runs even when the virtual environment is gone.
"""
