"""A place for things to measure: network namespaces, processes and a directory that all go away with it.

Namespaces carry the process's number, so that two benches do not meet.
"""

import itertools
import os
import pathlib
import subprocess
import tempfile
import time

from janitor import JANITOR

ROOT = pathlib.Path(__file__).resolve().parent.parent
# What is soaked may be a debug build; what is measured may not.
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / os.environ.get("BENCH_PROFILE", "release")
PREFIX = f"rwb{os.getpid()}-"
COUNT = itertools.count()


class Failed(Exception):
    """What could not be built, and why."""


def sh(command, check=True, **more):
    """Runs a command, its words parted by spaces; its output as text."""
    words = command.split() if isinstance(command, str) else [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, **more)
    if check and done.returncode:
        raise Failed(f"{' '.join(words)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def ns(name):
    return PREFIX + name


def ip(name, command, **more):
    return sh(f"ip -n {ns(name)} {command}", **more)


def within(name, command, **more):
    words = command.split() if isinstance(command, str) else command
    return sh(["ip", "netns", "exec", ns(name), *words], **more)


def sysctl(name, **values):
    """Sets what a namespace has for itself."""
    for key, value in values.items():
        path = "net." + key.replace("__", ".")
        within(name, ["sysctl", "-qw", f"{path}={value}"], check=False)


class Place:
    """Namespaces, processes and a directory."""

    def __init__(self):
        self.owner = f"place {next(COUNT)}"
        self.processes = []
        self.dir = None

    def directory(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="rackweave-bench-"))
        JANITOR.note(self.owner, "directory", str(self.dir))

    def namespace(self, name):
        JANITOR.note(self.owner, "netns", ns(name))
        sh(f"ip netns add {ns(name)}")
        ip(name, "link set lo up")

    def start(self, host, command, log, **more):
        """Starts a process in a namespace; what it says goes to `log`, unless `stdout` is given."""
        with open(self.dir / log, "a") as out:
            words = ["ip", "netns", "exec", ns(host), *map(str, command)]
            process = subprocess.Popen(words, **{"stdin": subprocess.DEVNULL, "stdout": out, "stderr": out, **more})
        JANITOR.note(self.owner, "process", process.pid)
        self.processes.append(process)
        return process

    def down(self):
        JANITOR.undo(self.owner)
        for process in self.processes:
            process.wait()
        self.processes = []

    def alive(self):
        """Fails where a process has ended."""
        for process in self.processes:
            if process.poll() is not None:
                raise Failed(f"{process.args[4]} ended{self.logs()}")

    def logs(self):
        texts = [f"\n--- {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-12:])
                 for path in sorted(self.dir.glob("*.log"))]
        return "".join(texts)

    def wait_until(self, condition, seconds=15):
        until = time.monotonic() + seconds
        while not condition():
            self.alive()
            if time.monotonic() > until:
                raise Failed(f"it did not come up in {seconds} s{self.logs()}")
            time.sleep(0.02)
