"""Environmental impact: what a request's energy is, in joules, and what follows from it in CO2e, water and metals.

Pure: no Django, no input or output, no clock; a contract in `pyproject.toml` holds it. Whoever stores a figure stores
`energy.METHOD_VERSION` and the factor set beside it, so that a new method never rewrites what was told before.
For people: `docs/impact.md`.

enums        how sure a figure is, what a meter sees
interval     a figure with its range
hardware     accelerators: what they draw, read and cost to make
energy       a request's energy: modelled, by GPU time, or from a meter
meters       readings of a power or energy meter → energy of a stretch of time
windows      a stretch's energy shared out among requests; calibration of the model by it
factors      energy → CO2e, water, primary energy, metals; the share of making the machines
equivalents  CO2e and energy in things that people know
single       one request told beforehand, for a calculator
carbon       the same as fields of an answer's `usage`
ecologits    another library's formula, to compare with; no figure of ours comes from it
validation   published measurements and answers, which ours is held against
"""
