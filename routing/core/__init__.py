"""The decisions of the router: pure, synchronous, clock-injected. No I/O, no asyncio, no Django."""
