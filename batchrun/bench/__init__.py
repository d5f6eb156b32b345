"""Measurements that a user can run. Nothing in the house depends on them."""
