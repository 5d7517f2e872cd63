"""A sled of the bench: its files, its process, and what it says of itself."""

import json
import os
import pathlib
import re
import signal
import socket

from place import TARGET, sh

PROGRAM = TARGET / "rackweave"


class Sled:
    """A sled in a namespace of a place."""

    def __init__(self, place, host, name, kind, poll, cpus=None):
        self.place, self.host, self.name = place, host, name
        self.dir = place.dir / name
        self.dir.mkdir()
        self.process = None
        pinned = f"cpus = {json.dumps(cpus)}\n" if cpus else ""
        (self.dir / "sled.toml").write_text(
            f'run_dir = "{self.dir}/run"\nstate_dir = "{self.dir}/state"\nhost_state = "{self.dir}/host.json"\n'
            f'workers = 1\n{pinned}poll = "{poll}"\n'
            f'[underlay]\nkind = "{kind}"\nsocket = "{self.dir}/wire.sock"\n[metrics]\nunix = "{self.dir}/metrics.sock"\n')

    def write(self, host_state):
        """Puts a host state in place of what there was, at once."""
        new = self.dir / "host.json.new"
        new.write_text(json.dumps(host_state))
        os.replace(new, self.dir / "host.json")

    def start(self):
        """For the first time, or once more."""
        self.process = self.place.start(
            self.host, [PROGRAM, "sled", "run", "--config", self.dir / "sled.toml"], f"{self.name}.log")

    def stop(self):
        """As planned: it keeps what its guests need."""
        self.place.processes.remove(self.process)
        self.process.terminate()
        self.process.wait(10)

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def status(self):
        return json.loads(sh([PROGRAM, "sled", "status", "--json", "--run-dir", self.dir / "run"]))

    def metrics(self):
        """{(name, label values by name): value}, names without the prefix that all have."""
        samples = {}
        for line in self.scrape().splitlines():
            found = re.fullmatch(r"rackweave_sled_(\w+?)(?:\{(.*)\})? ([0-9.e+-]+)", line)
            if found:
                name, labels, value = found.groups()
                samples[name, frozenset(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or ""))] = float(value)
        return samples

    def scrape(self):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(self.dir / "metrics.sock"))
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: sled\r\nConnection: close\r\n\r\n")
            parts = iter(lambda: client.recv(1 << 16), b"")
            return b"".join(parts).decode()

    def memory(self):
        """Octets of memory that the process has resident."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) * 1024

    def files(self):
        """How many files the process has open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))
