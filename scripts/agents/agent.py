#!/usr/bin/env python3
"""A writer in Python. agent.py FILE NAME COUNT [PAD] [FIRST]

One os.write a line, on a descriptor opened with O_APPEND. What print() and
file.write() hand to the system is cut wherever their buffer is full (8,192
bytes), in the middle of a line; os.write is not.
"""

import json
import os
import sys


class Lane:
    """The rule itself. Copy this."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        size = os.fstat(self.fd).st_size
        if size and os.pread(self.fd, 1, size - 1) != b"\n":
            os.write(self.fd, b"\n")  # somebody died in the middle of a line

    def append(self, event):
        line = json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
        written = os.write(self.fd, line)
        if written != len(line):  # the disk is full: end what is there, say so
            os.write(self.fd, b"\n")
            raise OSError(f"wrote {written} of {len(line)} bytes")


def main():
    path, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    pad = "x" * int(sys.argv[4] if len(sys.argv) > 4 else 0)
    first = int(sys.argv[5] if len(sys.argv) > 5 else 1)
    lane = Lane(path)
    for n in range(first, first + count):
        lane.append({"type": "agent.note", "data": {"writer": name, "n": n, "pad": pad}})


if __name__ == "__main__":
    main()
