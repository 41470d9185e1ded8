"""Files into pages of words: the port is `port.py`; whatever opens a file does so in a limited child process."""
