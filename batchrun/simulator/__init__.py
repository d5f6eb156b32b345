"""The embedded provider, in a process of its own, with scripted faults.

The rest of the house talks to it over HTTP only.
"""
