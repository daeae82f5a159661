"""What the router's table says of names that end: moments in Paris, successors, and what is gone."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError

from federation.catalogue.models import Alias
from federation.catalogue.operations.aliases import add_alias, end_alias, remove_alias
from federation.catalogue.operations.life import retire_model
from routing.bridge.table import build_names
from routing.core.enums import LifecycleStage
from routing.core.table import Names
from tests.support.factories import OPERATOR, make_model
from tests.support.lifecycle import deprecate, in_days, retire

pytestmark = pytest.mark.django_db


def names() -> Names:
    return build_names(1).names


def midnight(days: int) -> int:
    day = in_days(days)
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("Europe/Paris")).timestamp())


def test_a_deprecated_model_tells_its_end_and_its_successor() -> None:
    successor = make_model("llama-3.3-70b")
    model = deprecate(make_model("leaving-7b"), days=60, successor=successor)

    end = names().models[str(model.pk)].end

    assert end is not None
    assert model.deprecated_at is not None
    assert end.announced_at == int(model.deprecated_at.timestamp())
    assert (end.at, end.successor) == (midnight(60), "llama-3.3-70b")
    assert names().models[str(successor.pk)].end is None


def test_an_alias_tells_its_own_end() -> None:
    model = make_model("kept-7b")
    add_alias(by=OPERATOR, model=model, name="Stays")
    alias = add_alias(by=OPERATOR, model=model, name="Leaves")
    end_alias(by=OPERATOR, alias=alias, sunset=in_days(30))

    found = names()

    assert found.ends.keys() == {"leaves"}
    assert found.ends["leaves"].at == midnight(30)
    assert found.ends["leaves"].announced_at is not None
    assert (found.ends["leaves"].successor, found.ends["leaves"].of_alias) == ("kept-7b", True)


def test_a_retired_model_and_its_aliases_leave_their_names_behind() -> None:
    successor, model = make_model("llama-3.3-70b"), make_model("Gone-7b")
    add_alias(by=OPERATOR, model=model, name="gone")
    retire(model, successor)

    found = names()

    assert found.gone.keys() == {"gone-7b", "gone"}
    assert {end.successor for end in found.gone.values()} == {"llama-3.3-70b"}
    assert {end.at for end in found.gone.values()} == {midnight(0)}
    assert "gone-7b" not in found.aliases


def test_what_was_never_offered_leaves_no_name_and_what_came_so_from_elsewhere_no_day() -> None:
    for stage in (LifecycleStage.PROPOSED, LifecycleStage.STAGING):
        model = make_model(f"{stage}-7b", stage=stage)
        retire_model(by=OPERATOR, model=model, reason="no licence")
    make_model("of-the-dispatcher", stage=LifecycleStage.RETIRED)

    gone = names().gone

    assert gone.keys() == {"of-the-dispatcher"}
    assert gone["of-the-dispatcher"].at is None


def test_an_alias_that_was_taken_away_leads_to_what_it_stood_for_until_it_is_given_again() -> None:
    model, other = make_model("kept-7b"), make_model("other-7b")
    alias = add_alias(by=OPERATOR, model=model, name="small")
    remove_alias(by=OPERATOR, alias=alias)
    assert (names().gone["small"].successor, names().gone["small"].of_alias) == ("kept-7b", True)
    with pytest.raises(ValidationError, match="Small"):
        add_alias(by=OPERATOR, model=other, name="Small")

    add_alias(by=OPERATOR, model=model, name="Small")

    assert names().aliases["small"] == str(model.pk)
    assert Alias.objects.count() == 2
