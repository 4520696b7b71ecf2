from __future__ import annotations

import threading

import pytest

from assistant.circuit import Circuit


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def circuit(clock: Clock) -> Circuit:
    return Circuit(failures=3, rest=30, clock=clock)


def _fail(circuit: Circuit, times: int) -> None:
    for _ in range(times):
        assert circuit.enter()
        circuit.failed()


def test_it_lets_all_in_until_so_many_have_failed_in_a_row(circuit: Circuit) -> None:
    _fail(circuit, 2)
    assert (circuit.state, circuit.enter()) == ("closed", True)
    circuit.failed()
    assert (circuit.state, circuit.enter()) == ("open", False)


def test_a_success_in_between_forgets_the_failures(circuit: Circuit) -> None:
    _fail(circuit, 2)
    circuit.succeeded()
    _fail(circuit, 2)
    assert circuit.state == "closed"


def test_it_stays_open_until_its_rest_is_over(circuit: Circuit, clock: Clock) -> None:
    _fail(circuit, 3)
    clock.now += 29.9
    assert not circuit.enter()
    clock.now += 0.1
    assert circuit.enter()


def test_one_alone_is_let_in_to_try(circuit: Circuit, clock: Clock) -> None:
    _fail(circuit, 3)
    clock.now += 30
    assert [circuit.enter() for _ in range(3)] == [True, False, False]
    assert circuit.state == "trial"


def test_a_trial_that_succeeds_closes_it(circuit: Circuit, clock: Clock) -> None:
    _fail(circuit, 3)
    clock.now += 30
    assert circuit.enter()
    circuit.succeeded()
    _fail(circuit, 2)
    assert circuit.state == "closed"


def test_a_trial_that_fails_opens_it_for_another_rest(circuit: Circuit, clock: Clock) -> None:
    _fail(circuit, 3)
    clock.now += 30
    _fail(circuit, 1)
    clock.now += 29
    assert not circuit.enter()
    clock.now += 1
    assert circuit.enter()


def test_a_trial_whose_caller_went_away_is_handed_on(circuit: Circuit, clock: Clock) -> None:
    _fail(circuit, 3)
    clock.now += 30
    assert circuit.enter()
    circuit.left()
    assert (circuit.enter(), circuit.enter()) == (True, False)


def test_a_caller_who_went_away_is_no_failure(circuit: Circuit) -> None:
    for _ in range(10):
        assert circuit.enter()
        circuit.left()
    assert circuit.state == "closed"


def test_of_many_threads_at_once_one_is_the_trial(circuit: Circuit, clock: Clock) -> None:
    _fail(circuit, 3)
    clock.now += 30
    entered: list[bool] = []
    together = threading.Barrier(16)

    def ask() -> None:
        together.wait()
        entered.append(circuit.enter())

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(entered) == [False] * 15 + [True]
