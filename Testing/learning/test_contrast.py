"""The local contrastive loss: known values, what lowers it, and which voxels it looks at."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from medssl.labels import UNANNOTATED
from medssl.learning.contrast import (
    TEMPERATURE,
    anchors_at,
    choose_anchors,
    class_means,
    class_members,
    guessed_classes,
    local_contrastive_loss,
    matching_loss,
    reach,
)
from torch import Tensor

SPACING = (1.0, 1.0, 1.0)


def made_patches(patches: int = 3, classes: int = 3) -> tuple[Tensor, Tensor]:
    """Embeddings `(B, 5, 8, 8, 8)` that know their class roughly, and labels with every class."""
    generator = torch.Generator().manual_seed(patches * 10 + classes)
    labels = torch.randint(classes, (patches, 4, 4, 4), generator=generator)
    labels = labels.repeat_interleave(2, 1).repeat_interleave(2, 2).repeat_interleave(2, 3)
    embedding = torch.randn((patches, 5, 8, 8, 8), generator=generator)
    embedding += 1.5 * torch.eye(5)[labels].movedim(-1, 1)
    return embedding, labels


def loss(
    embedding: Tensor, labels: Tensor, classes: int = 3, weights: tuple[float, ...] | None = None
) -> Tensor:
    each = torch.ones(len(labels)) if weights is None else torch.tensor(weights)
    return local_contrastive_loss(embedding, labels, each, classes, SPACING)


def test_orthogonal_classes_cost_nothing() -> None:
    _, labels = made_patches()
    assert loss(torch.eye(5)[labels].movedim(-1, 1), labels) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("patches", [1, 2, 4])
@pytest.mark.parametrize("classes", [2, 3, 4])
def test_a_collapsed_embedding_costs_the_log_of_the_number_of_classes(patches: int, classes: int) -> None:
    # One patch is the intra loss alone. Across patches the published loss has a floor of log 2 and collapses
    # to log(2 K); with all positives in one numerator neither depends on the number of patches.
    _, labels = made_patches(patches, classes)
    collapsed = torch.ones((patches, 5, 8, 8, 8))
    assert loss(collapsed, labels, classes) == pytest.approx(math.log(classes), abs=1e-5)


def test_a_known_similarity_gives_the_known_value() -> None:
    cosine = torch.tensor(0.3)
    anchor = torch.stack((cosine, (1 - cosine**2).sqrt())).view(1, 1, 1, 2)
    away = anchor.flip(-1)
    found = matching_loss(torch.cat((anchor, away), dim=1), torch.eye(2).unsqueeze(0), torch.ones((1, 2)))
    sine = math.sqrt(1 - 0.3**2)
    each = math.log(1 + math.exp((sine - 0.3) / TEMPERATURE))
    assert found == pytest.approx(each, rel=1e-5)


@settings(max_examples=10, deadline=None)
@given(patch=st.integers(0, 1), index=st.integers(0, 2), other=st.integers(1, 2), step=st.floats(0.1, 0.9))
def test_an_anchor_that_moves_to_its_class_lowers_the_loss(
    patch: int, index: int, other: int, step: float
) -> None:
    generator = torch.Generator().manual_seed(index)
    means = torch.eye(5)[:3].expand(2, -1, -1)
    # Nearest to their own class, so that leaving it is always for the worse.
    anchors = torch.rand((2, 3, 4, 5), generator=generator) + means[:, :, None]
    anchors = torch.nn.functional.normalize(anchors, dim=3)
    weights = torch.ones((2, 3))

    def moved(towards: int) -> float:
        changed = anchors.clone()
        target = changed[patch, index, 0] + step * (means[0, towards] - changed[patch, index, 0])
        changed[patch, index, 0] = torch.nn.functional.normalize(target, dim=0)
        return float(matching_loss(changed, means, weights))

    before = float(matching_loss(anchors, means, weights))
    assert moved(index) < before
    assert moved((index + other) % 3) > before


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_length_of_an_embedding_says_nothing(seed: int) -> None:
    embedding, labels = made_patches()
    scale = torch.rand((3, 1, 8, 8, 8), generator=torch.Generator().manual_seed(seed)) * 10 + 0.1
    assert loss(embedding * scale, labels) == pytest.approx(float(loss(embedding, labels)), rel=1e-4)


@settings(max_examples=10, deadline=None)
@given(order=st.permutations(range(4)))
def test_the_order_of_patches_changes_nothing(order: list[int]) -> None:
    # The published code divides its running sum in every turn of the loop over pairs: the last pair has
    # nearly all the weight, and another order gives another loss.
    embedding, labels = made_patches(4)
    expected = float(loss(embedding, labels))
    assert loss(embedding[order], labels[order]) == pytest.approx(expected, rel=1e-5)


def test_every_patch_pulls_alike_and_a_patch_given_twice_changes_nothing() -> None:
    embedding, labels = made_patches(1)
    many = embedding.repeat(5, 1, 1, 1, 1).requires_grad_()
    found = loss(many, labels.repeat(5, 1, 1, 1))
    found.backward()
    assert many.grad is not None
    sizes = many.grad.flatten(1).norm(dim=1)
    assert torch.allclose(sizes, sizes[:1].expand(5), rtol=1e-4)
    assert found.item() == pytest.approx(float(loss(embedding, labels)), rel=1e-5)


def test_a_weight_says_as_how_many_patches_one_counts() -> None:
    embedding, labels = made_patches(3)
    weighted = float(loss(embedding, labels, weights=(2.0, 1.0, 0.0)))
    assert weighted == pytest.approx(float(loss(embedding[[0, 0, 1]], labels[[0, 0, 1]])), rel=1e-5)
    assert loss(embedding, labels, weights=(0.0, 0.0, 0.0)) == 0


def test_an_anchor_may_match_its_class_in_another_patch() -> None:
    means = torch.eye(4).view(2, 2, 4)  # the two patches have nothing in common
    anchors = means.flip(0).unsqueeze(2)
    assert matching_loss(anchors, means, torch.ones((2, 2))) == pytest.approx(0, abs=1e-3)
    alone = torch.cat(
        [matching_loss(anchors[i, None], means[i, None], torch.ones((1, 2)))[None] for i in (0, 1)]
    )
    assert alone.min() > 0.5


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_class_leaves_a_finite_loss_and_pulls_nothing(missing: int) -> None:
    embedding, labels = made_patches()
    gone = labels == missing
    embedding.requires_grad_()
    found = loss(embedding, torch.where(gone, UNANNOTATED, labels))
    found.backward()
    assert torch.isfinite(found)
    assert found > 0
    assert embedding.grad is not None
    assert torch.isfinite(embedding.grad).all()
    assert embedding.grad.movedim(1, -1)[gone].abs().max() == 0


def test_a_class_that_no_patch_has_is_as_if_there_were_none() -> None:
    embedding, labels = made_patches()
    labels[labels == 2] = UNANNOTATED
    assert loss(embedding, labels, 3) == pytest.approx(float(loss(embedding, labels, 2)), rel=1e-5)


def test_a_class_that_only_one_patch_has_counts_with_it() -> None:
    embedding, labels = made_patches(2)
    labels[1][labels[1] == 2] = UNANNOTATED
    assert torch.isfinite(loss(embedding, labels))
    assert loss(embedding, labels) != pytest.approx(float(loss(embedding[:1], labels[:1])))


@pytest.mark.parametrize("value", [0, 1, UNANNOTATED])
def test_with_nothing_to_compare_the_loss_is_nothing(value: int) -> None:
    embedding = torch.randn((2, 5, 8, 8, 8)).requires_grad_()
    found = loss(embedding, torch.full((2, 8, 8, 8), value))
    found.backward()
    assert found.item() == pytest.approx(0, abs=1e-6)
    assert embedding.grad is not None
    assert embedding.grad.abs().max() == pytest.approx(0, abs=1e-6)


def test_a_single_structure_is_told_from_the_background_round_it() -> None:
    embedding = torch.randn((1, 5, 8, 8, 8), generator=torch.Generator().manual_seed(0)).requires_grad_()
    labels = torch.zeros((1, 8, 8, 8), dtype=torch.int64)
    labels[:, 2:5, 2:5, 2:5] = 1
    loss(embedding, labels, classes=2).backward()
    assert embedding.grad is not None
    pulled = embedding.grad.abs().sum(dim=1)
    assert pulled[labels == 1].sum() > 0
    assert pulled[labels == 0].sum() > 0


def test_background_far_from_every_structure_stands_for_nothing() -> None:
    labels = torch.zeros((2, 12, 12, 12), dtype=torch.int64)
    labels[0, 5, 5, 5] = 1
    members = class_members(labels, 2, (2, 3, 1))
    shell = members[0, 0].nonzero()
    assert shell.amin(dim=0).tolist() == [3, 2, 4]
    assert shell.amax(dim=0).tolist() == [7, 8, 6]
    assert members[0, 1].sum() == 1
    assert not members[1].any()


def test_anchors_come_from_their_class_alone_and_never_from_what_nobody_looked_at() -> None:
    _, labels = made_patches(3, 3)
    labels[:, :3] = UNANNOTATED
    labels[1][labels[1] == 2] = UNANNOTATED
    members = class_members(labels, 3, (8, 8, 8))
    voxels = choose_anchors(members, (1, 1, 1), 20)
    assert voxels.shape == (3, 3, 20)
    for patch in range(3):
        for index in range(3):
            if members[patch, index].any():
                assert (labels[patch].flatten()[voxels[patch, index]] == index).all()


def test_half_of_the_anchors_lie_near_a_border() -> None:
    labels = torch.zeros((1, 16, 16, 16), dtype=torch.int64)
    labels[:, 8:] = 1
    voxels = choose_anchors(class_members(labels, 2, (16, 16, 16)), (2, 2, 2), 40)
    rows = voxels // 256
    assert ((rows[0, 1, 20:] >= 8) & (rows[0, 1, 20:] < 10)).all()
    assert ((rows[0, 0, 20:] < 8) & (rows[0, 0, 20:] >= 6)).all()
    assert set(rows[0, 1, :20].tolist()) == set(range(8, 16))


def test_anchors_are_spread_over_large_structures_and_repeat_in_small_ones() -> None:
    labels = torch.zeros((1, 8, 8, 8), dtype=torch.int64)
    labels[0, 3, 3, 3] = 1
    labels[0, 3, 3, 6:] = 2
    chosen = choose_anchors(class_members(labels, 3, (8, 8, 8)), (8, 8, 8), 64)
    assert set(chosen[0, 1].tolist()) == {3 * 64 + 3 * 8 + 3}
    assert set(chosen[0, 2].tolist()) == {3 * 64 + 3 * 8 + 6, 3 * 64 + 3 * 8 + 7}
    assert chosen[0, 0].unique().numel() >= 32


def test_class_means_and_anchors_are_of_the_voxels_they_name() -> None:
    embedding, labels = made_patches(2)
    vectors = torch.nn.functional.normalize(embedding.flatten(2), dim=1)
    members = class_members(labels, 3, (8, 8, 8))
    means = class_means(vectors, members)
    expected = vectors[1].T[labels[1].flatten() == 2].mean(dim=0)
    assert torch.allclose(means[1, 2], expected / expected.norm(), atol=1e-5)
    voxels = choose_anchors(members, (1, 1, 1), 6)
    assert torch.equal(anchors_at(vectors, voxels)[1, 2, 3], vectors[1, :, voxels[1, 2, 3]])


def test_it_computes_in_32_bits_under_mixed_precision() -> None:
    embedding, labels = made_patches()
    expected = loss(embedding.bfloat16().float(), labels)
    with torch.autocast("cpu", torch.bfloat16):
        found = loss(embedding.bfloat16(), labels)
    assert found.dtype == torch.float32
    assert found == pytest.approx(float(expected), rel=1e-5)


def test_a_distance_reaches_as_far_in_thick_slices() -> None:
    assert reach(8, (4.0, 1.0, 1.0)) == (2, 8, 8)
    assert reach(2, (10.0, 1.0, 0.5)) == (1, 1, 2)


def test_guesses_are_kept_unless_asked_for_confidence() -> None:
    logits = torch.randn((2, 3, 6, 6, 6), generator=torch.Generator().manual_seed(0))
    assert torch.equal(guessed_classes(logits), logits.argmax(dim=1))
    sure = guessed_classes(logits, 0.8)
    kept = sure != UNANNOTATED
    assert 0 < kept.float().mean() < 1
    assert torch.equal(sure[kept], logits.argmax(dim=1)[kept])


def test_the_filter_keeps_the_surest_fifth_of_a_difficult_class() -> None:
    logits = torch.zeros((1, 2, 10, 10, 10))
    logits[:, 0] = 10.0
    logits[:, :, 5] = torch.stack((torch.zeros(10, 10), torch.linspace(0.1, 1, 100).view(10, 10)))
    sure = guessed_classes(logits, 0.9)
    assert (sure == 0).sum() == 900
    assert (sure == 1).sum() == 20
    assert (sure[:, 5, 8:] == 1).all()
