"""The AWS CLI in this process: its own parser, its own client, without the second that each new process costs."""

import contextlib
import io
import json
import os
import tomllib
from pathlib import Path

import botocore.session
from awscli.clidriver import create_clidriver
from botocore import xform_name

# The CLI finds its own data by this variable, which it sets when it is imported.
DATA_PATH = os.environ["AWS_DATA_PATH"]
OPERATIONS = Path(__file__).resolve().parents[2] / "models" / "operations"


def ledger(service):
    """The implemented operations of a service, as the CLI spells them."""
    listed = tomllib.loads((OPERATIONS / f"{service}.toml").read_text())
    return {xform_name(name, "-") for name in listed["operations"]}


class CommandLine:
    """`aws SERVICE …` as a caller; it knows which operations it has called."""

    def __init__(self, caller, service, folder):
        self.caller = caller
        self.service = service
        self.folder = folder
        self.called = set()
        self.driver = None

    def as_(self, caller):
        """The same for somebody else."""
        other = CommandLine(caller, self.service, self.folder)
        other.called = self.called
        return other

    def __call__(self, operation, *positional, **arguments):
        """Runs an operation, which must succeed, and returns its answer: JSON, or text where it is none."""
        code, out, err = self._run(operation, positional, arguments)
        assert code == 0, f"{operation} {arguments}\n{out}\n{err}"
        self.called.add(operation)
        return json.loads(out) if out.strip().startswith(("{", "[")) else out

    def fails(self, operation, *positional, **arguments):
        """Runs an operation, which must be refused, and returns the complaint."""
        code, out, err = self._run(operation, positional, arguments)
        assert code != 0, f"{operation} {arguments}\n{out}"
        return err

    def only_refuses(self, operation, code, **arguments):
        """Runs an operation that can do nothing here but refuse, with this code."""
        complaint = self.fails(operation, **arguments)
        assert f"({code})" in complaint, complaint
        self.called.add(operation)

    def missing(self):
        """The operations of the ledger that were not called."""
        return sorted(ledger(self.service) - self.called)

    def _run(self, operation, positional, arguments):
        command = ["--endpoint-url", self.caller.endpoint, self.service, operation]
        for name, value in arguments.items():
            command += self._flag(name.strip("_").replace("_", "-"), value)
        command += [str(value) for value in positional]
        out, err = io.StringIO(), io.StringIO()
        before, ours = dict(os.environ), self.caller.environment() | {"AWS_DATA_PATH": DATA_PATH}
        os.environ.clear()
        os.environ.update(ours)
        try:
            # A region stays with the session of the driver that has seen it.
            if self.driver is None or "region" in arguments:
                self.driver = create_clidriver()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    code = self.driver.main(command)
                except SystemExit as ended:
                    code = ended.code
        finally:
            if "region" in arguments:
                self.driver = None
            os.environ.clear()
            os.environ.update(before)
        return code, out.getvalue(), err.getvalue()

    def _flag(self, name, value):
        if value is True:
            return [f"--{name}"]
        if value is False:
            return [f"--no-{name}"]
        if isinstance(value, bytes):
            path = self.folder / f"blob-{len(list(self.folder.iterdir()))}"
            path.write_bytes(value)
            return [f"--{name}", f"fileb://{path}"]
        if isinstance(value, (dict, list)):
            value = json.dumps(value)
        return [f"--{name}", str(value)]


def knows(service):
    """The operations that the installed CLI knows of a service."""
    model = botocore.session.get_session().get_service_model(service)
    return {xform_name(name, "-") for name in model.operation_names}
