"""Which process has which numbers, as processes come, go and are lost."""

from __future__ import annotations

from workers.child.accounts import Accounts
from workers.child.ledger import QUARANTINE_SECONDS


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_each_worker_begins_with_its_block_and_hears_the_same_when_it_asks_again() -> None:
    accounts = Accounts({0: (1, 5), 1: (6, 10)})
    assert accounts.connect(0, 1) == [(1, 5)]
    assert accounts.connect(1, 1) == accounts.connect(1, 1) == [(6, 10)]


def test_a_process_that_follows_another_has_the_same_numbers() -> None:
    accounts = Accounts({0: (1, 5), 1: (6, 10)})
    accounts.connect(0, 1)
    assert accounts.connect(0, 2) == [(1, 5)]
    assert accounts.take(1, 3) == []  # nothing has become free


def test_numbers_of_one_that_is_gone_are_lent_and_come_home() -> None:
    accounts = Accounts({0: (1, 5), 1: (6, 10)})
    accounts.connect(0, 1)
    accounts.settle(gone=[0], lost=[])
    assert accounts.take(1, 3) == [(1, 3)]
    assert accounts.connect(0, 2) == [(4, 5)]  # the rest is with the other one
    accounts.give_back(1, [(1, 3)])
    assert accounts.take(0, 10) == [(1, 3)]


def test_numbers_of_one_that_is_lost_wait_until_it_cannot_be_alive() -> None:
    clock = Clock()
    accounts = Accounts({0: (1, 5), 1: (6, 10)}, clock)
    accounts.settle(gone=[], lost=[0])
    assert accounts.take(1, 5) == []
    clock.now = QUARANTINE_SECONDS + 1
    assert accounts.take(1, 5) == [(1, 5)]


def test_one_that_is_heard_of_again_has_what_it_had() -> None:
    accounts = Accounts({0: (1, 5), 1: (6, 10)}, Clock())
    accounts.connect(0, 1)
    accounts.settle(gone=[], lost=[0])
    assert accounts.connect(0, 1) == [(1, 5)]


def test_one_that_is_known_to_be_gone_is_no_longer_waited_for() -> None:
    accounts = Accounts({0: (1, 5), 1: (6, 10)}, Clock())
    accounts.settle(gone=[], lost=[0])
    accounts.settle(gone=[0], lost=[])
    accounts.settle(gone=[0], lost=[])  # the same word again
    assert accounts.take(1, 5) == [(1, 5)]
