"""The benchmark harness: `workbench bench` measures us against the library beneath us, in one run, and writes the figures.

Every row warms up, repeats, and reports medians and ratios; nothing here is a test, and no figure is typed by hand.
"""
