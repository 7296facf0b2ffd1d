"""Code that the tests of Lava run in the worker's process, found there by PYTHONPATH."""
