"""Run folders as strangers may have written them: changed, and sealed again."""

import hashlib
import json
import shutil

from ser.train.runs.run import checksum


def forge(run, target):
    """A copy of a run that can be changed."""
    return shutil.copytree(run, target)


def rewrite(folder, name, change):
    """Change a JSON file of a run as one would who forges it."""
    path = folder / name
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    seal(folder)


def seal(folder):
    """Have `versions.json` say that all files are as they were written."""
    about = json.loads((folder / "versions.json").read_text())
    for name in about["files"]:
        about["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    about["sha256"] = checksum(about)
    (folder / "versions.json").write_text(json.dumps(about))
