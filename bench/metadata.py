"""What an identity federation's signed metadata costs: verified and read, in time and memory.

    python -m bench.metadata [PROVIDERS]        # 6 000, as many as eduGAIN has

Makes an aggregate in a temporary folder, two certificates a provider, and reads it in a process of its own. Goals: 2 s
of CPU, beside a loop of three million multiplications that tells how fast the machine is; 60 MB more than the process
had before. Ends with 1 where a goal is missed.
"""

import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from federation.identity.metadata import read_aggregate
from tests.support.saml import Idp, Signer, aggregate, write

PROVIDERS = 6_000
GOAL_S, GOAL_MB = 2.0, 60.0


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else PROVIDERS
    with tempfile.TemporaryDirectory() as folder:
        path, certificate = _made(Path(folder), count)
        child = [sys.executable, "-m", "bench.metadata", "--read", str(path), str(certificate)]
        told = json.loads(subprocess.run(child, check=True, capture_output=True).stdout)
        size = path.stat().st_size / 1e6
    print(f"{count} providers, {size:.1f} MB, {told['found']} read")
    print(f"CPU {told['seconds']:.2f} s (goal {GOAL_S}); the loop {told['loop']:.2f} s")
    print(f"{told['megabytes']:.0f} MB beside {told['before']:.0f} of before (goal {GOAL_MB:.0f})")
    return int(told["seconds"] > GOAL_S or told["megabytes"] > GOAL_MB)


def _made(folder: Path, count: int) -> tuple[Path, Path]:
    """Write an aggregate and what signs it. Providers share a certificate: making one takes longer than reading it."""
    signer, of_all = Signer.new("federation"), Signer.new("provider")
    providers = [
        Idp(
            f"university-{number}.example",
            f"University number {number}",
            signer=of_all,
            extra_certificates=(of_all.base64,),
        )
        for number in range(count)
    ]
    certificate = folder / "federation.pem"
    certificate.write_text(signer.certificate)
    return write(aggregate(providers, signer), folder / "metadata.xml"), certificate


def _read(path: Path, certificate: Path) -> None:
    before, started = _megabytes("VmRSS"), time.process_time()
    found = read_aggregate(path, certificate.read_text(), datetime.now(UTC))
    seconds, after = time.process_time() - started, _megabytes("VmHWM")
    started, value = time.process_time(), 1
    for _ in range(3_000_000):
        value = value * 31 % 1_000_003
    told = {"found": len(found.providers), "seconds": seconds, "before": before}
    loop = time.process_time() - started
    print(json.dumps({**told, "megabytes": after - before, "loop": loop}))


def _megabytes(which: str) -> float:
    """Of this process: `VmRSS` now, `VmHWM` the most so far. What `getrusage` tells includes the parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(which)) * 1024 / 1e6


if __name__ == "__main__":
    if sys.argv[1:2] == ["--read"]:
        _read(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        sys.exit(main())
