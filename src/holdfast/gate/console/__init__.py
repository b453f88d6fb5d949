"""The console: the gate in a browser. Pages are made on the server, and work without scripts."""
