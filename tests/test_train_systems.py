"""The published networks: their sizes counted by hand, and how they hear utterances."""

import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn
from torch.nn import functional as F  # noqa: N812

import ser
from ser.cache import Cache, store_manifest
from ser.cli import main
from ser.errors import InputError
from ser.train.config import load_config, presets
from ser.train.methods import METHODS, Method, Reads, usual
from ser.train.model import make_spec
from ser.train.network.spec import FeatureShape
from ser.train.network.systems.adrnn import Adrnn, Dilated
from ser.train.network.systems.capsules import Routing, squash
from ser.train.network.systems.rudd import Rudd
from ser.train.network.systems.system import BothEnds, MeanOfPieces, beginning, ending
from ser.train.network.systems.zhao import last_state
from ser.train.runs.run import Run

from .conftest import toy_key, toy_manifest

DIMS = {"wave": 1, "logmel": 64, "logmel3d": 120, "logmel128": 128, "vgg16": 8192, "rudd129": 129}
SYSTEMS = [name for name in METHODS if METHODS[name].system]


def conv(before, after, kernel):
    return before * after * kernel + after


def lstm(dim, hidden):
    return 4 * hidden * (dim + hidden) + 2 * 4 * hidden


def dense(*sizes):
    return sum((before + 1) * after for before, after in pairwise(sizes))


BLOCKS = sum(2 * channels for channels in (64, 64, 128, 128))  # of their batch norms
ZHAO_2D = (
    conv(1, 64, 9)
    + conv(64, 64, 9)
    + conv(64, 128, 9)
    + conv(128, 128, 9)
    + BLOCKS
    + lstm(128, 256)
)

# For seven emotions, layer by layer as their descriptions have them.
COUNTS = {
    "adrnn": conv(3, 128, 15)
    + (conv(128, 128, 15) + conv(128, 256, 15) + conv(128, 256, 1))
    + dense(256 * 10, 768)
    + 2 * 768
    + 2 * lstm(768, 128)
    + 256
    + dense(256, 64, 7),
    "zhao-1d": conv(1, 64, 3)
    + (conv(64, 64, 3) + conv(64, 128, 3) + conv(128, 128, 3))
    + BLOCKS
    + lstm(128, 256)
    + dense(256, 7),
    "zhao-2d": ZHAO_2D + dense(256, 7),
    "zhao-2d-time": ZHAO_2D + dense(256, 7),
    "rudd": dense(8192, 1024, 1024, 512, 512, 7),
    "rudd-code": dense(129, 1024, 512, 256, 64, 7),
    "capsules": conv(1, 64, 25) + conv(64, 64, 25) + conv(64, 32, 25) + 304 * 7 * 8 * 16,
}


def made(name, classes=7):
    """The network of a system, and its last layer."""
    reads = METHODS[name].reads
    torch.manual_seed(0)
    shape = FeatureShape(reads.feature, reads.feature, DIMS[reads.feature], reads.sequence)
    network = METHODS[name].make_system(shape)
    return network, network.head(classes)


@pytest.mark.parametrize("name", SYSTEMS)
def test_parameters_are_as_many_as_counted_by_hand(name):
    assert sum(p.numel() for part in made(name) for p in part.parameters()) == COUNTS[name]
    assert {*COUNTS} == {*SYSTEMS}


@pytest.mark.parametrize("name", [name for name in SYSTEMS if name != "rudd-code"])
def test_an_utterance_is_heard_alone_as_among_others(name):
    """Whatever padding a batch brings, and whether it is shorter than what is heard or longer."""
    network, head = made(name)
    network.eval()
    frames = {"wave": (3000, 20_000), "vgg16": (1, 5)}.get(METHODS[name].reads.feature, (80, 420))
    lengths = torch.tensor(frames)
    torch.manual_seed(1)
    batch = torch.randn(2, max(frames), DIMS[METHODS[name].reads.feature])
    batch[0, frames[0] :] = 0
    with torch.inference_mode():
        together = head(network(batch, lengths))
        assert together.shape == (2, 7)
        for row, length in enumerate(frames):
            alone = head(network(batch[row : row + 1, :length], lengths[row : row + 1]))
            torch.testing.assert_close(alone[0], together[row], rtol=1e-4, atol=1e-4)


def test_pools_leave_the_lstm_one_step_to_the_letter_and_fifteen_where_time_is_kept():
    image = torch.zeros(1, 1, 251, 128)
    assert made("zhao-2d")[0].blocks(image).shape == (1, 128, 1, 1)
    assert made("zhao-2d-time")[0].blocks(image).shape == (1, 128, 15, 1)
    assert made("zhao-1d")[0].blocks(torch.zeros(1, 1, 128_000)).shape == (1, 128, 500)


def test_the_last_state_is_that_at_the_end_of_the_utterance():
    states = torch.arange(6.0).expand(5, 6)[..., None].repeat(1, 1, 2)
    states[..., 1] += 10
    said = last_state(states, torch.tensor([1, 16, 17, 96, 500]), 16)
    assert said.tolist() == [[0, 10], [0, 10], [1, 11], [5, 15], [5, 15]]


def test_what_is_beyond_eight_seconds_is_not_heard():
    network, _ = made("zhao-2d")
    network.eval()
    x = torch.randn(1, 300, 128)
    changed = x.clone()
    changed[:, 251:] += 1
    assert torch.equal(network(x, torch.tensor([300])), network(changed, torch.tensor([300])))


def test_beginning_and_ending_by_hand():
    x = torch.tensor([[1.0, 2, 3, 4, 5], [6, 7, 0, 0, 0]])[..., None]
    lengths = torch.tensor([5, 2])
    assert beginning(x, 3)[..., 0].tolist() == [[1, 2, 3], [6, 7, 0]]
    assert ending(x, lengths, 3)[..., 0].tolist() == [[3, 4, 5], [6, 7, 0]]
    assert beginning(x, 6)[..., 0].tolist() == [[1, 2, 3, 4, 5, 0], [6, 7, 0, 0, 0, 0]]
    assert ending(x, lengths, 6)[..., 0].tolist() == [[1, 2, 3, 4, 5, 0], [6, 7, 0, 0, 0, 0]]


class Sum(BothEnds):
    """Hears two frames: their sum."""

    frames, size = 2, 1

    def represent(self, pieces):
        return pieces.sum(1)


def test_in_training_one_end_is_heard_and_else_both():
    network = Sum(FeatureShape("x", "x", 1, True))
    x = torch.tensor([[1.0, 2, 4], [3, 5, 0]])[..., None]
    lengths = torch.tensor([3, 2])
    heard = {tuple(network.train()(x, lengths)[:, 0].tolist()) for _ in range(40)}
    assert heard == {(3, 8), (6, 8)}, "of the shorter one there is one piece"
    assert network.eval()(x, lengths).tolist() == [[3, 6], [8, 8]]


def test_probabilities_of_pieces_are_averaged():
    logits = torch.tensor([[[2.0, 0, 1], [-1, 3, 0]]])
    layer = MeanOfPieces(3, nn.Identity())
    mean = logits.softmax(-1).mean(1)
    torch.testing.assert_close(layer(logits.flatten(1)).exp(), mean)
    torch.testing.assert_close(layer(logits[:, 0]).exp(), logits[:, 0].softmax(-1))


def test_rudd_sees_one_image_in_training_and_else_the_mean_of_all():
    network = Rudd(FeatureShape("vgg16", "vgg16", 6, True)).eval()
    x, lengths = torch.randn(2, 3, 6), torch.tensor([3, 1])
    each = network.layers(x)
    torch.testing.assert_close(network(x, lengths), torch.stack([each[0].mean(0), each[1, 0]]))
    network.layers = nn.Identity()
    network.train()
    rows = {tuple(network(x, lengths)[0].tolist()) for _ in range(60)}
    assert rows == {tuple(row) for row in x[0].tolist()}
    assert all(torch.equal(network(x, lengths)[1], x[1, 0]) for _ in range(20))


def test_dilation_hears_as_far_as_its_rates_say():
    """Two frames either way of each kernel, at rates 2 and 4: 12 frames; over bands one each."""
    block = Dilated(1, 1)
    for parameter in block.parameters():
        nn.init.constant_(parameter, 1.0)
    x = torch.zeros(1, 1, 41, 9, requires_grad=True)
    block(x)[0, 0, 20, 4].backward()
    reached = x.grad[0, 0].nonzero()
    assert (reached.amin(0).tolist(), reached.amax(0).tolist()) == ([8, 2], [32, 6])


def test_adrnn_reads_planes_of_bands():
    """The 120 values of a frame are 40 log-mels, 40 deltas, 40 deltas of deltas."""
    network = Adrnn(FeatureShape("logmel3d", "logmel3d", 120, True))
    seen = []
    network.convolutions[0].register_forward_hook(lambda module, given, out: seen.append(given[0]))
    x = torch.arange(120.0).expand(1, 300, 120)
    network.eval()(x, torch.tensor([300]))
    assert seen[0].shape == (1, 3, 300, 40)
    assert seen[0][0, :, 7].tolist() == torch.arange(120.0).view(3, 40).tolist()


def test_squash_by_hand():
    """|(3, 4)| = 5: of the length 25 / 26."""
    torch.testing.assert_close(squash(torch.tensor([3.0, 4.0])), torch.tensor([3.0, 4.0]) * 5 / 26)
    assert squash(torch.zeros(2)).tolist() == [0, 0]


def test_cross_entropy_of_capsules_is_twice_the_cauchy_schwarz_loss():
    torch.manual_seed(0)
    routing = Routing(5, 3)
    primary = torch.randn(4, 40)
    logits, targets = routing(primary), torch.tensor([0, 2, 1, 0])
    lengths = (logits / 2).exp()
    assert ((lengths > 0) & (lengths < 1)).all()
    divergence = -(lengths[torch.arange(4), targets] / lengths.norm(dim=1)).log()
    torch.testing.assert_close(F.cross_entropy(logits, targets), 2 * divergence.mean())


def test_routing_by_hand():
    """Capsules that agree on a class are sent there: of two, with votes along one axis for the
    first class, and opposite ones for the second."""
    routing = Routing(2, 2)
    with torch.no_grad():
        routing.weight.zero_()
        routing.weight[:, 0, 0, 0] = 1.0
        routing.weight[0, 1, 0, 0], routing.weight[1, 1, 0, 0] = 1.0, -1.0
    primary = torch.zeros(1, 16)
    primary[0, [0, 8]] = 1.0
    # Even shares: s = (.5 + .5, .5 - .5), squashed: .5 and 0. Every capsule then agrees by .5 with
    # the first class, again with what that comes to, and sends it sigmoid of the sum.
    first = squash(torch.tensor([1.0]))
    share = torch.sigmoid(first)
    second = squash(2 * share)
    share = torch.sigmoid(first + second)
    expected = 2 * squash(2 * share).log()
    # The second class hears the shares' difference, which is none.
    found = routing(primary)
    torch.testing.assert_close(found[0, :1], expected)
    assert found[0, 1] < -20


def test_every_system_has_a_preset_and_a_feature():
    for name in SYSTEMS:
        assert METHODS[name].setting == "single"
        assert METHODS[name].preset in presets()
        assert load_config(METHODS[name].preset).train.alpha == 0
        assert usual("single", name, "strong") == (
            (METHODS[name].reads.feature,),
            METHODS[name].preset,
        )
    assert usual("single", "", "strong") == (("mfcc", "ge2e"), "strong")
    assert usual("multidomain", "nonsense", "paper") == (("mfcc", "ge2e"), "paper")


def test_a_system_refuses_another_feature():
    manifest = toy_manifest()
    shapes = {
        "mfcc": FeatureShape("mfcc", "mfcc", 24, True),
        "logmel3d": FeatureShape("logmel3d", "logmel3d", 120, True),
        "ge2e": FeatureShape("ge2e", "ge2e", 256, False),
    }
    config = load_config("adrnn")
    make_spec(METHODS["adrnn"], ["logmel3d"], shapes, [manifest], config)
    for names in (["mfcc"], ["ge2e"], ["logmel3d", "mfcc"]):
        with pytest.raises(InputError, match="reads one sequence of 120 values a frame, such as"):
            make_spec(METHODS["adrnn"], names, shapes, [manifest], config)
    with pytest.raises(InputError, match=r"reads one vector, .*mfcc \(a sequence of"):
        make_spec(METHODS["rudd-code"], ["mfcc"], shapes, [manifest], config)


def test_the_command_needs_no_more_than_the_method(tmp_path):
    manifest = toy_manifest()
    cache = Cache(tmp_path / "cache")
    store_manifest(cache, manifest)
    with cache.write(toy_key("logmel3d", "sequence", 120), manifest) as out:
        for id in manifest.ids:
            out.add(id, np.zeros((2, 120), np.float32))
    command = ["train", "--setting", "single", "--method", "adrnn", "--corpus", "toy", "--dry-run"]
    command += ["--cache", str(cache.folder)]
    planned = CliRunner().invoke(main, [*command, "--repeats", "1"])
    assert "toy adrnn: 0 of 1 models finished, 1 to train: 1 networks, 20 epochs" in planned.output
    wrong = CliRunner().invoke(main, [*command, "--preset", "strong"])
    assert wrong.exit_code == 2
    assert "of which model.encoder=functionals makes a vector" in wrong.output
    unknown = CliRunner().invoke(main, [*command, "--method", "adrn"])
    assert unknown.exit_code == 2
    assert "did you mean 'adrnn'" in unknown.output.lower()


class Small(BothEnds):
    """A system that learns quickly."""

    frames, size = 6, 8

    def __init__(self, shape):
        super().__init__(shape)
        self.layer = nn.Linear(shape.dim, self.size)

    def represent(self, pieces):
        return self.layer(pieces.mean(1)).relu()


def test_a_system_is_trained_kept_and_opened_as_any_network(toy_cache, tmp_path):
    method = Method("small", system=Small, reads=Reads("mfcc", sequence=True), preset="adrnn")
    changes = ["train.epochs=30", "train.lr=0.01", "train.members=2", "train.calibrate=true"]
    run = ser.train(
        "single", "toy", method=method, cache=toy_cache, out=tmp_path / "run", changes=changes,
        repeats=2, workers=1,
    )  # fmt: skip
    assert run.metrics["features"] == ["mfcc"]
    assert run.metrics["preset"] == "adrnn"
    assert run.metrics["domains"]["toy"]["ua"]["mean"] > 0.6
    again = Run.open(run.folder)
    domain = again.domain("toy", toy_cache)
    said = again.ensemble()(domain.batch(torch.arange(4)), "toy")
    assert said.shape == (4, 3)
    torch.testing.assert_close(said.sum(1), torch.ones(4))


@pytest.mark.parametrize("name", ["adrnn", "zhao-2d-time", "rudd", "rudd-code", "capsules"])
def test_systems_are_trained_by_their_names(name, tmp_path):
    """A few short utterances of what each reads, with nothing said but the method."""
    reads = METHODS[name].reads
    manifest = toy_manifest(utterances=12, speakers=4)
    cache = Cache(tmp_path / "cache")
    store_manifest(cache, manifest)
    random = np.random.default_rng(0)
    key = toy_key(reads.feature, "sequence" if reads.sequence else "vector", DIMS[reads.feature])
    with cache.write(key, manifest) as out:
        for id in manifest.ids:
            shape = (int(random.integers(2, 30)), key.dim) if reads.sequence else (key.dim,)
            out.add(id, random.normal(size=shape).astype(np.float32))
    run = ser.train(
        "single", "toy", method=name, cache=cache, out=tmp_path / "run", repeats=1, workers=1,
        changes=["train.epochs=1"],
    )  # fmt: skip
    settings = json.loads((run.folder / "config.json").read_text())["settings"]
    assert settings["preset"] == METHODS[name].preset
    assert run.metrics["domains"]["toy"]["n_test"] > 0
