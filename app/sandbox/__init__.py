"""Stateful stand-ins for Centra and Mirakl, for people without contracts and for the tests.

Nothing of the service imports this package and it imports nothing of the service: a shared mistake would
hide itself. Run it with `python -m app.sandbox --config FILE`.
"""
