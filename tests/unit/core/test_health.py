"""One server's health: what ejects it, what brings it back, and how much it is given meanwhile."""

import pytest

from routing.core.enums import Health
from routing.core.health import (
    BACKOFF_CAP,
    BACKOFF_SECONDS,
    FORGIVEN_AFTER,
    HOLD_SECONDS,
    PROBE_IDLE,
    PROBE_PATIENCE,
    SLOW_START,
    SLOW_STEP,
    SLOW_STEPS,
    THRESHOLD,
    TRIAL_PATIENCE,
    ServerHealth,
)
from routing.core.retry import HARMS_HEALTH, Failure

NOW = 1000.0
EJECTED, HEALTHY, PROBING = Health.EJECTED, Health.HEALTHY, Health.PROBING


def an_ejected_server(now: float = NOW) -> ServerHealth:
    health = ServerHealth()
    health.failed(Failure.CONNECT, "t1", "orleans", now)
    return health


def test_a_new_server_is_trusted() -> None:
    health = ServerHealth()
    assert health.state is HEALTHY
    assert health.admits(10_000, NOW)


def test_a_server_that_cannot_be_reached_is_ejected_at_once() -> None:
    assert an_ejected_server().state is EJECTED


@pytest.mark.parametrize("failure", sorted(HARMS_HEALTH - {Failure.CONNECT}))
def test_three_failures_in_a_row_that_two_institutions_met_eject(failure: Failure) -> None:
    health = ServerHealth()
    health.failed(failure, "t1", "orleans", NOW)
    health.failed(failure, "t2", "orleans", NOW)
    assert health.state is HEALTHY
    health.failed(failure, "t3", "reims", NOW)
    assert health.state is EJECTED


@pytest.mark.parametrize("failure", sorted(HARMS_HEALTH - {Failure.CONNECT}))
def test_what_one_institution_met_has_the_server_probed_at_once(failure: Failure) -> None:
    """A poisonous request, repeated with however many keys, must not take a server from everybody."""
    health = ServerHealth()
    health.succeeded("t0", NOW)
    for number in range(100):
        assert health.probe_is_due(NOW) is (number >= THRESHOLD)
        health.failed(failure, f"t{number}", "orleans", NOW)
    assert health.state is HEALTHY


def test_the_probe_decides_about_a_server_that_one_institution_complains_of() -> None:
    well, ill = ServerHealth(), ServerHealth()
    for health in (well, ill):
        for number in range(THRESHOLD):
            health.failed(Failure.SERVER_ERROR, f"t{number}", "orleans", NOW)
        health.begin_probe(NOW)
        assert not health.probe_is_due(NOW)
    well.probed(None, NOW)
    ill.probed(Failure.LOST, NOW)
    assert (well.state, ill.state) == (HEALTHY, EJECTED)
    assert not well.probe_is_due(NOW)
    well.failed(Failure.SERVER_ERROR, "another", "orleans", NOW)
    assert well.probe_is_due(NOW)


def test_a_success_in_between_wipes_the_failures_out() -> None:
    health = ServerHealth()
    for number in range(20):
        health.failed(Failure.LOST, "t", f"institution {number}", NOW)
        health.succeeded("other", NOW)
    assert (health.state, health.failures) == (HEALTHY, 0)


def test_an_ejected_server_is_due_when_its_back_off_is_over() -> None:
    health = an_ejected_server()
    assert not health.admits(0, NOW + BACKOFF_SECONDS)
    assert not health.is_due(NOW + BACKOFF_SECONDS - 0.01)
    assert health.is_due(NOW + BACKOFF_SECONDS)
    assert health.opens_at(NOW) == NOW + BACKOFF_SECONDS


def test_only_one_trial_at_a_time() -> None:
    health = an_ejected_server()
    health.begin_trial("trial", NOW)
    assert health.state is PROBING
    assert not health.is_due(NOW + BACKOFF_SECONDS)
    assert not health.probe_is_due(NOW + BACKOFF_SECONDS)


def test_a_trial_that_does_not_end_leaves_the_decision_to_a_probe() -> None:
    health = an_ejected_server()
    tried_at = NOW + BACKOFF_SECONDS
    health.begin_trial("trial", tried_at)
    assert not health.probe_is_due(tried_at + TRIAL_PATIENCE - 1)
    assert health.probe_is_due(tried_at + TRIAL_PATIENCE)

    health.begin_probe(tried_at + TRIAL_PATIENCE)
    health.probed(None, tried_at + TRIAL_PATIENCE + 1)

    assert health.state is Health.HEALTHY


def test_the_trial_heals_and_the_server_is_filled_slowly() -> None:
    health = an_ejected_server()
    health.begin_trial("trial", NOW)
    health.succeeded("trial", NOW)
    assert health.state is HEALTHY
    ceilings = [health.ceiling(NOW + step * SLOW_STEP) for step in range(SLOW_STEPS + 1)]
    assert ceilings == [SLOW_START << step for step in range(SLOW_STEPS)] + [None]
    assert health.admits(SLOW_START - 1, NOW)
    assert not health.admits(SLOW_START, NOW)
    assert health.opens_at(NOW) == NOW + SLOW_STEP


def test_nothing_else_heals_an_ejected_server() -> None:
    health = an_ejected_server()
    health.succeeded("sent before", NOW)
    health.begin_trial("trial", NOW)
    health.succeeded("sent before", NOW)
    health.was_full("sent before", 1, 0, NOW)
    assert health.state is PROBING


def test_failures_of_what_was_sent_before_do_not_lengthen_the_ejection() -> None:
    health = an_ejected_server()
    for _ in range(10):
        health.failed(Failure.LOST, "sent before", "orleans", NOW + 1)
    assert health.opens_at(NOW) == NOW + BACKOFF_SECONDS


def test_each_failed_trial_doubles_the_back_off_up_to_a_cap() -> None:
    health, now, pauses = an_ejected_server(), NOW, []
    for _ in range(8):
        opens_at = health.opens_at(now)
        assert opens_at is not None
        pauses.append(opens_at - now)
        now = opens_at
        health.begin_trial("trial", now)
        health.failed(Failure.TIMEOUT, "trial", "orleans", now)
    assert pauses == [2, 4, 8, 16, 32, BACKOFF_CAP, BACKOFF_CAP, BACKOFF_CAP]


def test_a_relapse_is_punished_longer_and_good_health_is_forgiven() -> None:
    health = an_ejected_server()
    health.begin_trial("trial", NOW)
    health.succeeded("trial", NOW)
    health.failed(Failure.CONNECT, "t", "orleans", NOW)
    assert health.opens_at(NOW) == NOW + 2 * BACKOFF_SECONDS
    health.begin_trial("trial", NOW)
    health.succeeded("trial", NOW)
    later = NOW + FORGIVEN_AFTER + 1
    health.succeeded("t", later)
    health.failed(Failure.CONNECT, "t", "orleans", later)
    assert health.opens_at(later) == later + BACKOFF_SECONDS


def test_a_trial_without_news_leaves_the_server_due() -> None:
    health = an_ejected_server()
    health.begin_trial("trial", NOW)
    health.was_unused("trial")
    assert health.is_due(NOW + BACKOFF_SECONDS)


def test_a_full_server_is_held_back_then_filled_slowly_from_what_it_held() -> None:
    health = ServerHealth()
    health.was_full("t", 3, 0, NOW)
    assert health.state is HEALTHY
    assert health.ceiling(NOW) == 0
    assert health.opens_at(NOW) == NOW + HOLD_SECONDS
    assert health.ceiling(NOW + HOLD_SECONDS) == 3
    assert health.ceiling(NOW + HOLD_SECONDS + SLOW_STEP) == 6


def test_a_full_server_that_names_a_time_gets_it_within_reason() -> None:
    health = ServerHealth()
    health.was_full("t", 3, 20.0, NOW)
    assert health.opens_at(NOW) == NOW + 20.0
    health.was_full("t", 3, 1e9, NOW)
    assert health.opens_at(NOW) == NOW + 60.0


def test_a_server_that_stays_full_is_held_longer_and_a_burst_counts_once() -> None:
    health = ServerHealth()
    for _ in range(30):
        health.was_full("t", 3, 0, NOW)
    assert health.opens_at(NOW) == NOW + HOLD_SECONDS
    health.was_full("t", 3, 0, NOW + HOLD_SECONDS)
    assert health.opens_at(NOW + HOLD_SECONDS) == NOW + 3 * HOLD_SECONDS


def test_a_full_server_that_answers_in_between_is_held_briefly_again() -> None:
    health = ServerHealth()
    health.was_full("t", 3, 0, NOW)
    health.succeeded("t", NOW)
    health.was_full("t", 3, 0, NOW + HOLD_SECONDS)
    assert health.opens_at(NOW + HOLD_SECONDS) == NOW + 2 * HOLD_SECONDS


def test_fullness_never_ejects_and_heals_the_one_on_trial() -> None:
    health = an_ejected_server()
    health.begin_trial("trial", NOW)
    health.was_full("trial", 0, 0, NOW)
    assert health.state is HEALTHY
    assert health.ceiling(NOW) == 0


def test_a_server_of_which_nothing_was_heard_is_probed_once() -> None:
    health = ServerHealth()
    assert health.probe_is_due(NOW)
    health.begin_probe(NOW)
    assert not health.probe_is_due(NOW)
    health.probed(None, NOW)
    assert not health.probe_is_due(NOW + PROBE_IDLE - 1)
    assert health.probe_is_due(NOW + PROBE_IDLE)


def test_a_server_that_answers_requests_needs_no_probe() -> None:
    health = ServerHealth()
    health.succeeded("t", NOW)
    assert not health.probe_is_due(NOW + PROBE_IDLE - 1)


@pytest.mark.parametrize("failure", sorted(HARMS_HEALTH))
def test_a_failed_probe_ejects_at_once(failure: Failure) -> None:
    health = ServerHealth()
    health.begin_probe(NOW)
    health.probed(failure, NOW)
    assert health.state is EJECTED


def test_a_probe_is_the_trial_of_an_ejected_server() -> None:
    health, later = an_ejected_server(), NOW + BACKOFF_SECONDS
    assert not health.probe_is_due(later - 0.01)
    assert health.probe_is_due(later)
    health.begin_probe(later)
    assert health.state is PROBING
    assert not health.is_due(later)
    health.probed(None, later)
    assert health.state is HEALTHY


def test_a_probe_begun_in_better_days_does_not_heal() -> None:
    health = ServerHealth()
    health.begin_probe(NOW)
    health.failed(Failure.CONNECT, "t", "orleans", NOW)
    health.probed(None, NOW)
    assert health.state is EJECTED


def test_a_lost_probe_is_forgotten() -> None:
    health, later = an_ejected_server(), NOW + BACKOFF_SECONDS
    health.begin_probe(later)
    assert health.opens_at(later) is None, "the probe's answer opens it, at any moment"
    assert health.is_due(later + PROBE_PATIENCE)
    assert health.probe_is_due(later + PROBE_PATIENCE)


def test_it_counts_how_often_it_was_set_aside_and_not_the_trials_meanwhile() -> None:
    health = an_ejected_server()
    health.begin_trial("t", NOW + 2)
    health.failed(Failure.CONNECT, "t", "orleans", NOW + 3)
    still_away = health.times_ejected
    health.begin_trial("u", NOW + 9)
    health.succeeded("u", NOW + 10)

    health.failed(Failure.CONNECT, "v", "orleans", NOW + 20)

    assert (still_away, health.times_ejected) == (1, 2)
