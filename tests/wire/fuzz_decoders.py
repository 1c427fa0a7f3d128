"""Feed mutated golden vectors to every decoder; anything but a value or a WireError is a finding.

    .venv/bin/python tests/wire/fuzz_decoders.py --seconds 10 --seed 1
    .venv/bin/python tests/wire/fuzz_decoders.py --replay observation 0117...

Standard library only. The seed is printed, a finding is printed as the command that replays it, and the exit code is 1.
Each input is parsed whole and again after a passage in small segments; both must agree.
"""

import argparse
import json
import random
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

if not __package__:  # run as a script: the packages are found from the repository's root
    root = Path(__file__).resolve().parents[2]
    sys.path[:0] = [str(root), str(root / "wire")]

from calza_wire.describe import describe
from calza_wire.errors import WireError
from calza_wire.segments import Reassembler
from tests.wire.golden import DECODERS, Decode, vectors

INTERESTING = (b"\x00", b"\x01", b"\x7f", b"\x80", b"\xff", b"\xff\xff", b"\xff\xff\xff\xff", b"\x00\x00\x00\x80")
OCTETS_MAX = 4_096  # longer inputs find nothing new and cost time


def mutate(rng: random.Random, octets: bytes, others: Sequence[bytes]) -> bytes:
    """One to four changes: bits, octets, insertions, deletions, repeats, splices, cuts."""
    mutant = bytearray(octets)
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, len(mutant))
        match rng.randrange(8):
            case 0 if mutant:
                mutant[at % len(mutant)] ^= 1 << rng.randrange(8)
            case 1 if mutant:
                mutant[at % len(mutant)] = rng.randrange(256)
            case 2:
                piece = rng.choice(INTERESTING)
                mutant[at : at + len(piece)] = piece
            case 3:
                mutant[at:at] = rng.randbytes(rng.randint(1, 8))
            case 4:
                del mutant[at : at + rng.randint(1, 8)]
            case 5:
                mutant[at:at] = mutant[at : at + rng.randint(1, 32)]
            case 6:
                other = rng.choice(others)
                start = rng.randint(0, len(other))
                mutant[at : at + rng.randint(0, 16)] = other[start : start + rng.randint(1, 64)]
            case _:
                del mutant[at:]
    return bytes(mutant[:OCTETS_MAX])


def after_segments(rng: random.Random, octets: bytes) -> bytes:
    """The same octets after a passage in fragments of one to twenty octets."""
    receiver, place, counter = Reassembler(), 0, rng.randrange(64)
    payload = None
    while payload is None and (place == 0 or place < len(octets)):
        end = place + rng.choice((1, 1, 1, 20))
        header = counter << 2 | (place == 0) | (end >= len(octets)) << 1
        payload = receiver.feed(bytes((header,)) + octets[place:end])
        place, counter = end, (counter + 1) % 64
    return b"not reassembled" if payload is None else payload


def outcome(decode: Decode, octets: bytes) -> str:
    """The value as JSON, or the error's code; any other exception is a finding and escapes."""
    try:
        return json.dumps(describe(decode(octets)))
    except WireError as error:
        return error.code


def inputs(seed: int, kinds: Sequence[str]) -> Iterator[tuple[str, bytes, random.Random]]:
    """An endless, repeatable sequence of kind and octets, with the generator that made them."""
    rng = random.Random(seed)
    seeds: dict[str, list[bytes]] = {kind: [] for kind in kinds}
    for vector in vectors():
        if vector.kind in seeds:
            seeds[vector.kind].append(vector.octets)
    everything = [octets for some in seeds.values() for octets in some]
    while True:
        kind = rng.choice(kinds)
        yield kind, mutate(rng, rng.choice(seeds[kind] or everything), everything), rng


def check(kind: str, decode: Decode, octets: bytes, rng: random.Random) -> bool:
    """Whether these octets pass; prints how to replay them if not."""
    try:
        if outcome(decode, octets) == outcome(decode, after_segments(rng, octets)):
            return True
        print("read otherwise after segments")  # noqa: T201 - a command-line tool speaks by printing
    except Exception:  # noqa: BLE001 - any exception but WireError is exactly what this looks for
        traceback.print_exc()
    print(f"finding: {kind} {octets.hex()}")  # noqa: T201 - a command-line tool speaks by printing
    print(f"replay: tests/wire/fuzz_decoders.py --replay {kind} {octets.hex()}")  # noqa: T201 - as above, for people
    return False


def run(seed: int, seconds: float, decoders: Mapping[str, Decode]) -> int:
    """Fuzz until the time is over or something is found; returns the exit code."""
    print(f"seed {seed}")  # noqa: T201 - a command-line tool speaks by printing
    end, count = time.monotonic() + seconds, 0
    for kind, octets, rng in inputs(seed, list(decoders)):
        if not check(kind, decoders[kind], octets, rng):
            print(f"failed at input {count} of seed {seed}")  # noqa: T201 - a command-line tool speaks by printing
            return 1
        count += 1
        if time.monotonic() >= end:
            break
    print(f"{count} inputs for {len(decoders)} decoders, nothing found")  # noqa: T201 - a command-line tool speaks by printing
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Feed mutated golden vectors to every decoder of calza_wire.")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long (default 10)")
    parser.add_argument("--seed", type=int, default=1, help="which sequence (default 1)")
    parser.add_argument("--replay", nargs=2, metavar=("KIND", "HEX"), help="try one input again")
    chosen = parser.parse_args(arguments)
    if chosen.replay:
        kind, text = chosen.replay
        return 0 if check(kind, DECODERS[kind], bytes.fromhex(text), random.Random(chosen.seed)) else 1
    return run(chosen.seed, chosen.seconds, DECODERS)


if __name__ == "__main__":
    sys.exit(main())
