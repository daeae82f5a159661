"""The predecessor's experiment, live: users come, stay and leave, in two classes, owners and guests among them.

Real requests through the real router to simulated servers, twice at the same time: once with the waiting room,
once round robin without one, each on servers of its own. See bench/README.md.
"""
