"""A Fogbank that a test owns: starts it, kills it, starts it again."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

READY_SECS = 60


class Cloud:
    """A server process on one port and one data directory for all its lives."""

    def __init__(self, binary, folder, *flags):
        self.binary = binary
        self.flags = flags
        self.data = folder / "data"
        self.log = folder / "fogbank.log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        """Starts the server and returns once it says that it is ready."""
        written = self.log.stat().st_size if self.log.exists() else 0
        state = () if "--ephemeral" in self.flags else ("--data-dir", self.data)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "start", "--listen", f"127.0.0.1:{self.port}", *state, *self.flags],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=server_environment(),
            )
        deadline = time.monotonic() + READY_SECS
        while b"Ready." not in self.log.read_bytes()[written:]:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Fogbank did not become ready:\n{self.tail()}")
            time.sleep(0.02)

    def kill(self):
        """Ends the server as a power cut would: no handler runs, nothing is flushed."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Ends the server politely."""
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()

    def text(self):
        """What the server said in all its lives."""
        return self.log.read_text(errors="replace")

    def tail(self):
        """The end of what the server said."""
        return self.text()[-8000:]


def server_environment():
    """The environment of the server: none of the client's settings, and this Python first.

    On AWS a Python function finds boto3 in its runtime. Here it comes with the interpreter that runs these tests.
    FOGBANK_BIN would be refused as a setting that is not known.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "FOGBANK_"))}
    kept["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return kept
