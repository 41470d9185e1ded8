"""A box of one's own, and a model of language that embeds as the test says."""

import pytest

from tests.boxes.stocking import Stock, WordsModel, a_box
from tests.scripted import SCRIPTS
from tests.world import Organization


@pytest.fixture
def words(acme: Organization) -> WordsModel:
    model = WordsModel()
    SCRIPTS.give(acme.id, model)
    return model


@pytest.fixture
def box(acme: Organization, words: WordsModel) -> Stock:
    return a_box(acme)
