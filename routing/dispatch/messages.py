"""What passes through the door: the core's own structs, so that the decisions need no second vocabulary."""

from routing.core.request import (
    OK,
    UNUSED,
    Decision,
    Ended,
    Event,
    FirstToken,
    Grant,
    LoadView,
    ModelLoad,
    Refusal,
    RefusalCode,
    ServerLoad,
    Started,
    Ticket,
    Withdrawn,
)

__all__ = [
    "OK",
    "UNUSED",
    "Decision",
    "Ended",
    "Event",
    "FirstToken",
    "Grant",
    "LoadView",
    "ModelLoad",
    "Refusal",
    "RefusalCode",
    "ServerLoad",
    "Started",
    "Ticket",
    "Withdrawn",
]
