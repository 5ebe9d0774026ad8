"""Features of perturbed recordings, made up."""

import numpy as np

from ser.cache import Cache

WAYS = ("speed0.9", "noise20")
PERTURB = f"augment.perturb={','.join(WAYS)}"
FEATURES = ("mfcc", "ge2e")


def perturb(cache: Cache, corpus: str) -> None:
    """Add to a toy corpus every feature of both perturbations, of other values, and where it is a
    sequence longer by a frame."""
    manifest = cache.manifest(corpus)
    for name in FEATURES:
        key = cache.resolve(name, manifest)
        plain = cache.read(key, manifest)
        for number, how in enumerate(WAYS, 1):
            with cache.write(key.perturbed(how), manifest) as writer:
                for row, id in enumerate(manifest.ids):
                    values = plain[row] * (1 + number / 10) + number
                    longer = np.vstack([values, values[-1:]]) if name == "mfcc" else values[0]
                    writer.add(id, longer.astype("f4"))
