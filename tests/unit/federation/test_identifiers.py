"""SIRET and UAI: what can exist passes, every single slip of the fingers is found."""

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from federation.members.identifiers import (
    UAI_LETTERS,
    check_siret,
    check_uai,
    luhn_sum,
    plain,
    uai_letter,
)

SIRETS = st.integers(10**4, 10**13 - 1).map(lambda number: _with_its_last_digit(f"{number:013d}"))
UAIS = st.integers(0, 10**7 - 1).map(lambda number: f"{number:07d}{uai_letter(f'{number:07d}')}")
LA_POSTE = "356000000"


def _with_its_last_digit(first: str) -> str:
    return next(first + last for last in "0123456789" if luhn_sum(first + last) % 10 == 0)


def refused(check: object, text: str) -> str:
    with pytest.raises(ValidationError) as told:
        check(text)  # type: ignore[operator]
    code = told.value.code
    assert code is not None
    return str(code)


@pytest.mark.parametrize("siret", ["19350936100013", "48264601500016", "13002974700016"])
def test_a_siret_that_exists_passes(siret: str) -> None:
    check_siret(siret)


@pytest.mark.parametrize("siret", ["35600000000048", "35600000049837"])
def test_la_poste_s_own_sites_pass_by_the_plain_sum(siret: str) -> None:
    check_siret(siret)


def test_la_poste_s_exception_holds_for_la_poste_alone() -> None:
    assert luhn_sum("35600000049837") % 10 != 0
    assert sum(map(int, "19350936100030")) % 5 == 0
    assert refused(check_siret, "19350936100030") == "siret_sum"
    assert refused(check_siret, "0" * 14) == "siret_sum"
    assert refused(check_siret, "35600000049838") == "siret_sum"


@pytest.mark.parametrize("uai", ["0751717J", "0350936C", "0442953W"])
def test_a_uai_that_exists_passes(uai: str) -> None:
    check_uai(uai)


@pytest.mark.parametrize(
    "text", ["", "1935093610001", "193509361000131", "1935093610001A", "１" * 14]
)
def test_what_is_not_fourteen_digits_is_no_siret(text: str) -> None:
    assert refused(check_siret, text) == "siret_form"


@pytest.mark.parametrize(
    "text", ["", "0350936", "0350936c", "03509366", "035093CC", "0350936CC", "0350936É"]
)
def test_what_is_not_seven_digits_and_a_letter_is_no_uai(text: str) -> None:
    assert refused(check_uai, text) == "uai_form"


def test_the_wrong_letter_is_told_from_the_wrong_form() -> None:
    assert refused(check_uai, "0350936A") == "uai_letter"


@given(
    SIRETS.filter(lambda siret: not siret.startswith(LA_POSTE)),
    st.integers(0, 13),
    st.integers(1, 9),
)
def test_one_mistyped_digit_of_a_siret_is_always_found(siret: str, place: int, more: int) -> None:
    check_siret(siret)
    wrong = siret[:place] + str((int(siret[place]) + more) % 10) + siret[place + 1 :]
    if not wrong.startswith(LA_POSTE):
        assert refused(check_siret, wrong) == "siret_sum"


@given(UAIS, st.integers(0, 6), st.integers(1, 9))
def test_one_mistyped_digit_of_a_uai_is_always_found(uai: str, place: int, more: int) -> None:
    check_uai(uai)
    wrong = uai[:place] + str((int(uai[place]) + more) % 10) + uai[place + 1 :]
    assert refused(check_uai, wrong) == "uai_letter"


def told(check: object, text: str) -> str:
    """Return why a text is refused, nothing when it passes."""
    try:
        check(plain(text))  # type: ignore[operator]
    except ValidationError as refusal:
        return str(refusal.messages[0])
    return ""


@given(st.text(max_size=20))
def test_whatever_is_typed_is_accepted_or_refused_with_words(text: str) -> None:
    assert told(check_siret, text) or len(plain(text)) == 14
    assert told(check_uai, text) or len(plain(text)) == 8


def test_letters_that_look_like_digits_are_no_letters_of_a_uai() -> None:
    assert len(UAI_LETTERS) == 23
    assert not set(UAI_LETTERS) & set("IOQ")


def test_spaces_dots_and_hyphens_do_not_matter() -> None:
    assert plain(" 193 509-361.00013\u00a0") == "19350936100013"
    assert plain("0350936c") == "0350936C"
