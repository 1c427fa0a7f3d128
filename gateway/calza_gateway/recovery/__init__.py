"""What the gateway does by itself when the radio or a stocking fails, decided without touching either.

Pure: no asyncio, no library, no clock; times are arguments. `rounds.py` carries out what is decided here.
"""
