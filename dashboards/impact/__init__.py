"""`/impact/`: how figures of the environmental impact are made, and a calculator. The figures are `billing.impact`'s.

labels       its words: how sure a figure is, grids, things to compare with
quantities   figures in units that people read, two digits of them
calculator   the form, its presets, and what it answers
tables       factors, accelerators, measurements: for the page and as files
"""
