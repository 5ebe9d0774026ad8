"""How fast caches are shared, beside `rclone copy` of the same files: see README.md here.

    python benchmarks/sharing.py

Needs an OpenSSH server and rclone, as systems have them, and the S3 server moto. All servers are on
this machine and take their share of its cores; each command is a process of its own, and the two
take turns. What ser has finished is on the disk; rclone is also timed with a sync after it.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
import numpy as np
import pandas as pd

from ser.cache import Cache, FeatureKey, store_manifest
from ser.manifests import Manifest
from ser.tests.remote_servers import sftp_server, web_of

SHARDS = 40
DIM = 1024
FRAMES = 50
MANY = 10_000
_S3 = """
import sys, time
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


@click.command()
@click.option("--megabytes", default=1000, show_default=True)
@click.option("--rounds", default=3, show_default=True, help="0: no copies beside rclone's.")
@click.option("--protocols", default="SFTP,S3", show_default=True)
@click.option("--many", default=MANY, show_default=True, help="Shards of which none is missing.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where to write [default: TMPDIR].")
def main(megabytes: int, rounds: int, protocols: str, many: int, folder: Path | None) -> None:
    """Push and pull, and a pull that has nothing to do."""
    with tempfile.TemporaryDirectory(dir=folder) as name, ExitStack() as stack:
        place = Path(name)
        environment, known = _remotes(stack, place)
        remotes = {name: known[name] for name in protocols.split(",")}
        if rounds:
            cache = _cache(place / "cache", SHARDS, megabytes * 1_000_000 // SHARDS)
            size = sum(path.stat().st_size for path in cache.folder.rglob("*.h5")) / 1e6
            print(f"{size:.0f} MB in {SHARDS} shards, {rounds} rounds, MB/s (median)\n")
            print("| | ser | rclone | ratio (each round) | rclone, on the disk | ratio |")
            print("| --- | --- | --- | --- | --- | --- |")
            for protocol, (url, theirs) in remotes.items():
                _compare(protocol, url, theirs, cache, place, size, rounds, environment)
        if many:
            _nothing_to_do(place, many, {p: url for p, (url, _) in remotes.items()}, environment)


def _compare(
    protocol: str,
    url: str,
    theirs: str,
    cache: Cache,
    place: Path,
    size: float,
    rounds: int,
    environment: dict[str, str],
) -> None:
    times: dict[str, list[float]] = {}
    os.sync()
    for number in range(rounds):
        ours, copy = f"{url}/ser{number}", f"{theirs}/rclone{number}"
        to, their_to = place / "pulled", place / "copied"
        steps = {
            "push": _ser("push", ours, cache.folder),
            "push, rclone": [*_rclone(), str(cache.folder / "features"), copy],
            "pull": _ser("pull", ours, to),
            "pull, rclone": [*_rclone(), copy, str(their_to)],
        }
        for step, command in steps.items():
            times.setdefault(step, []).append(seconds := _run(command, environment))
            times.setdefault(f"{step}, written", []).append(seconds + _written())
        for folder in (to, their_to):
            shutil.rmtree(folder)
    for step in ("push", "pull"):
        own = times[step]
        cells = [f"{step}, {protocol}", _rate(size, own)]
        for other in (times[f"{step}, rclone"], times[f"{step}, rclone, written"]):
            ratios = (b / a for a, b in zip(own, other, strict=True))
            cells += [_rate(size, other), ", ".join(f"{ratio:.2f}" for ratio in ratios)]
        print(f"| {' | '.join(cells)} |", flush=True)


def _rate(size: float, seconds: list[float]) -> str:
    return f"{size / statistics.median(seconds):.0f}"


def _written() -> float:
    """Seconds until the disk has what a command left to the system to write."""
    started = time.perf_counter()
    os.sync()
    return time.perf_counter() - started


def _nothing_to_do(
    place: Path, many: int, urls: dict[str, str], environment: dict[str, str]
) -> None:
    cache = _cache(place / "many", many, 0)
    to = place / "has-all"
    shutil.copytree(cache.folder, to)
    print(
        f"\nA pull that has nothing to do, of {many} shards:\n\n| from | seconds |\n| --- | --- |"
    )
    with web_of(cache.folder) as web:
        places = {"a folder": str(cache.folder), "the web": web.url}
        for protocol, url in urls.items():
            places[protocol] = f"{url}/many"
            _run(_ser("push", places[protocol], cache.folder), environment)
        for name, url in places.items():
            seconds = min(_run(_ser("pull", url, to), environment) for _ in range(3))
            print(f"| {name} | {seconds:.2f} |", flush=True)


def _cache(folder: Path, shards: int, shard_bytes: int) -> Cache:
    """A cache in so many shards of about so many bytes, of utterances of `FRAMES` frames."""
    key = FeatureKey(
        feature="frames",
        backbone="random",
        version=1,
        weights=None,
        parameters={},
        audio={},
        dtype="float32",
        kind="sequence",
        dim=DIM if shard_bytes else 1,
        frame_rate=50.0,
    )
    each = max(1, shard_bytes // (4 * key.dim * FRAMES))
    ids = [f"u{number:07}" for number in range(shards * each)]
    columns = {"corpus": "made", "language": "de", "speaker": "s", "gender": "", "emotion": "fear"}
    table = pd.DataFrame({"id": ids, **columns, "path": "a.wav", "duration": 1.0})
    manifest = Manifest(table.assign(audio_hash=[f"{number:032x}" for number in range(len(ids))]))
    cache = Cache(folder)
    store_manifest(cache, manifest)
    draw = np.random.default_rng(0)
    with cache.write(key, manifest) as writer:
        for start in range(0, len(ids), each):
            rows = draw.standard_normal((each, FRAMES, key.dim), dtype=np.float32)
            for id, row in zip(ids[start : start + each], rows, strict=True):
                writer.add(id, row)
            writer.publish()
    return cache


@contextmanager
def _s3() -> Iterator[int]:
    command = [sys.executable, "-c", _S3]
    with subprocess.Popen(command, stdin=-1, stdout=-1, stderr=subprocess.DEVNULL) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline())
        server.kill()


def _remotes(stack: ExitStack, place: Path) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """The environment of the commands, and by protocol: our URL and rclone's."""
    home = place / "home"
    ssh_port, _ = stack.enter_context(sftp_server(home))
    s3_port = stack.enter_context(_s3())
    endpoint = f"http://127.0.0.1:{s3_port}"
    ours = {
        "HOME": str(home),
        "AWS_ACCESS_KEY_ID": "someone",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
    }
    environment = {**os.environ, **ours}
    environment.pop("AWS_CA_BUNDLE", None)  # rclone cannot have one
    import boto3

    boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id="someone",
        aws_secret_access_key="secret",
        region_name="us-east-1",
    ).create_bucket(Bucket="bucket")
    ssh = home / ".ssh"
    keys = f"key_file={ssh}/id,user={os.environ.get('USER') or 'root'}"
    sftp = f":sftp,host=127.0.0.1,port={ssh_port},{keys}:{place}/server"
    s3 = f":s3,provider=Other,env_auth,endpoint='{endpoint}',force_path_style:bucket"
    return environment, {
        "SFTP": (f"sftp://team{place}/server", sftp),
        "S3": ("s3://bucket", s3),
    }


def _ser(verb: str, where: str, cache: Path) -> list[str]:
    ser = Path(sys.executable).with_name("ser")
    return [str(ser), "cache", verb, where, "--cache", str(cache), "--quiet"]


def _rclone() -> list[str]:
    return ["rclone", "--config", os.devnull, "copy", "--transfers", "4"]


def _run(command: list[str], environment: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
