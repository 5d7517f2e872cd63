"""Undoes what the bench did to the machine, whatever becomes of the bench.

The janitor is a process of its own in a session of its own. It ends processes, removes namespaces and directories and
puts settings back when it is told to, and as soon as the bench is gone: by Ctrl-C, an exception or SIGKILL.
"""

import atexit
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess

# How long a process may take to end by itself.
PATIENCE_MS = 5_000


class Janitor:
    """The bench's end. What is noted for an owner is undone, last first, when the owner is through."""

    def __init__(self):
        self.pid = None
        self.lines = None

    def note(self, owner, kind, *words):
        """From now on `owner` owes this: `("process", pid)`, `("netns", name)`, `("directory", path)` or `("setting", path, value)`."""
        self.ask([owner, kind, *words])

    def undo(self, owner):
        """Undoes what `owner` owes."""
        if self.pid == os.getpid():
            self.ask([owner, "undo"])

    def ask(self, request):
        if self.pid != os.getpid():
            self.start()
        self.lines.write(json.dumps(request) + "\n")
        self.lines.flush()
        self.lines.readline()

    def start(self):
        ours, theirs = socket.socketpair()
        if os.fork() == 0:
            ours.close()
            try:
                serve(theirs)
            finally:
                os._exit(0)
        theirs.close()
        self.pid = os.getpid()
        self.lines = ours.makefile("rw")
        ours.close()
        # Waits for it to be through.
        atexit.register(self.stop)

    def stop(self):
        if self.pid == os.getpid():
            self.ask(["", "end"])


JANITOR = Janitor()


def serve(end):
    """The janitor's end."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    owed, lines = [], end.makefile("rw")
    for line in iter(lines.readline, ""):
        owner, kind, *words = json.loads(line)
        if kind == "undo":
            undo([debt for debt in owed if debt[0] == owner])
            owed = [debt for debt in owed if debt[0] != owner]
        elif kind == "process":
            # Another process may get the number later; this one is held.
            owed.append((owner, kind, [os.pidfd_open(words[0])]))
        elif kind != "end":
            owed.append((owner, kind, words))
        else:
            undo(owed)
            owed = []
        lines.write("\n")
        lines.flush()
    undo(owed)


def undo(owed):
    processes = [words[0] for _, kind, words in owed if kind == "process"]
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in processes:
            try:
                signal.pidfd_send_signal(process, number)
            except ProcessLookupError:
                pass
        for process in processes:
            select.select([process], [], [], PATIENCE_MS / 1e3)
    for process in processes:
        os.close(process)
    for _, kind, words in reversed(owed):
        if kind == "netns":
            remove(words[0])
        elif kind == "directory":
            shutil.rmtree(words[0], ignore_errors=True)
        elif kind == "setting":
            pathlib.Path(words[0]).write_text(words[1])


def remove(netns):
    """A namespace, and whatever still runs in it."""
    found = subprocess.run(["ip", "netns", "pids", netns], capture_output=True, text=True)
    for pid in map(int, found.stdout.split()):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    subprocess.run(["ip", "netns", "del", netns], capture_output=True)
