"""How a figure of energy came about, and what a meter sees."""

from enum import StrEnum


class Method(StrEnum):
    """How sure a figure is, the surest first. Stored with each figure and shown beside it."""

    MEASURED = "measured"
    """A meter's energy, shared out among the requests of its window."""
    CALIBRATED = "calibrated"
    """Modelled, then corrected by what meters told of this model on this server before."""
    MODEL = "model"
    """Modelled with coefficients fitted to measurements of this accelerator."""
    EXTRAPOLATED = "extrapolated"
    """Modelled outside of what was fitted: another accelerator, or few requests at a time."""
    GPU_TIME = "gpu-time"
    """Typical power times duration: speech, embeddings, pictures, or a model of unknown size."""
    NONE = "none"
    """The machine is not known. There is no figure; its zeros are not an energy."""


class Scope(StrEnum):
    """What a meter's reading includes."""

    GPU = "gpu"
    """Accelerators alone; the rest of the machine is added as an overhead."""
    SERVER = "server"
    """The whole machine, as a power strip sees it."""
