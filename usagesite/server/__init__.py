"""Between the web server and Django: no thread waits for a client, neither for what it sends nor until it reads.

The event loop takes bodies in and sends answers out, in time or not at all. Threads only do Django's work.
"""
