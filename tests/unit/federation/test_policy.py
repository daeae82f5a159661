"""The two halves of a rule, and what commands refuse before they begin."""

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management.base import CommandError

from federation.command import check_texts, one_line
from federation.policy import asking, refuse_unless


def check_is_even(number: int) -> None:
    refuse_unless(number >= 0)
    if number % 2:
        raise ValidationError("odd")


can_be_even = asking(check_is_even)


@pytest.mark.parametrize(("number", "allowed"), [(2, True), (3, False), (-2, False)])
def test_asking_says_no_to_the_wrong_person_and_at_the_wrong_moment(
    number: int, allowed: bool
) -> None:
    assert can_be_even(number) is allowed


def test_asking_hides_no_mistake_of_ours() -> None:
    with pytest.raises(TypeError):
        can_be_even("two")  # type: ignore[arg-type]


def test_a_refusal_says_that_one_may_not() -> None:
    with pytest.raises(PermissionDenied, match=r"."):
        refuse_unless(False)


def test_several_messages_are_one_line_with_their_fields() -> None:
    refusal = ValidationError({"name": ["too long", "odd"], "__all__": ["taken"]})

    assert one_line(refusal) == "name: too long odd taken"
    assert one_line(ValidationError(["a", "b"])) == "a b"


@pytest.mark.parametrize("text", ["a\nb", "a\tb", "\x00", "\x1b[31m", "\udcff"])
def test_a_command_refuses_a_text_that_no_line_can_show(text: str) -> None:
    with pytest.raises(CommandError, match="--short-name"):
        check_texts({"short_name": text})


@pytest.mark.parametrize("text", ["Université d'Orléans", "« Rennes\u202f»", "日本", ""])
def test_a_command_takes_any_text_that_people_write(text: str) -> None:
    check_texts({"name": text, "max_parallel": 3, "models": None})
