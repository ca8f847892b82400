"""IDs and sequences as the users of a script get them."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.workers.apart import said_by

PREPARE = """
import logging, os, time
import gevent
from gevent.pool import Group
from locust import TaskSet, User, constant, task
from locust.env import Environment
from locust.exception import StopUser
from workers.child import hatchery
from workers.child.hatchery import Backend, sequence, use, user_id

logging.basicConfig(format="%(message)s", level="WARNING")
logging.getLogger("locust").disabled = logging.getLogger("locust.user.users").disabled = True
environment = Environment()
group = Group()
said = []

class Numbered(User):
    abstract = True
    wait_time = constant(60)

    def on_start(self):
        self.uid = user_id()

class Sleeper(Numbered):
    @task
    def nothing(self):
        pass

class Noted(Backend):
    def __init__(self):
        super().__init__()
        self.told, self.home = [], []

    def report(self, kind, **facts):
        self.told.append((kind, *facts.values()))

    def give_back(self, numbers):
        self.home.append(numbers)

def start(kind=Sleeper, count=1):
    users = [kind(environment) for _ in range(count)]
    for user in users:
        user.start(group)
    gevent.sleep(0.05)
    return users

def stop(*users):
    for user in users:
        user.greenlet.kill()
    gevent.sleep(0.01)

def numbers(users):
    return [user.uid.number for user in users if hasattr(user, "uid")]

def settings(**values):
    os.environ.update({name: str(value) for name, value in values.items()})
"""


def said(code: str) -> list[str]:
    """What `code` prints, or has logged, line by line, after `PREPARE`."""
    return said_by(f"{PREPARE}\n{textwrap.dedent(code)}").splitlines()


def test_users_get_the_numbers_of_their_workers_block_lowest_first() -> None:
    assert said("""
        settings(WORKER_OFFSET=166, WORKER_COUNT=4, ID_PREFIX="test_", ID_WIDTH=5)
        users = start(count=4)
        print(*[user.uid for user in users], numbers(users))
    """) == ["test_00167 test_00168 test_00169 test_00170 [167, 168, 169, 170]"]


def test_without_settings_users_are_numbered_from_one() -> None:
    assert said("print(*[user.uid for user in start(count=3)])") == ["1 2 3"]


def test_an_id_is_text_that_can_be_copied_and_sent() -> None:
    assert said("""
        import copy, json, pickle
        uid = start()[0].uid
        sent = pickle.loads(pickle.dumps(uid))
        print(isinstance(uid, str), json.dumps({"id": uid}), sent.number, copy.copy(uid).number)
    """) == ['True {"id": "1"} 1 1']


def test_a_user_has_one_id_however_it_asks() -> None:
    assert said("""
        class Tasks(TaskSet):
            @task
            def ask(self):
                said.append({user_id(), user_id(self), user_id(self.user), gevent.spawn(user_id, self.user).get()})

        class Asking(Numbered):
            tasks = [Tasks]

        start(Asking, 2)
        print(said == [{"1"}, {"2"}])
    """) == ["True"]


def test_user_classes_share_the_numbers_of_their_worker() -> None:
    assert said("""
        class Other(Sleeper):
            pass

        users = [*start(), *start(Other), *start()]
        print(numbers(users))
    """) == ["[1, 2, 3]"]


END_OF_A_USER = {
    "is killed": "stop(first)",
    "is stopped by Locust": "first.stop(force=True); gevent.sleep(0.01)",
    "stops itself": "first.leave.set(); gevent.sleep(0.05)",
}


@pytest.mark.parametrize("end", END_OF_A_USER.values(), ids=END_OF_A_USER.keys())
def test_a_number_is_free_again_when_its_user(end: str) -> None:
    assert said(f"""
        from gevent.event import Event
        settings(WORKER_COUNT=2)

        class Leaving(Numbered):
            def on_start(self):
                super().on_start()
                self.leave = Event()

            @task
            def go(self):
                self.leave.wait()
                raise StopUser

        first, second = start(Leaving, 2)
        {end}
        print(first.greenlet.dead, numbers(start()))
    """) == ["True [1]"]


@pytest.mark.parametrize("error", ["StopUser()", "ValueError('no login')", "SystemExit(3)", "gevent.GreenletExit()"])
def test_a_number_is_free_again_when_a_user_does_not_get_past_its_start(error: str) -> None:
    assert said(f"""
        gevent.get_hub().handle_error = lambda *args: None

        class Failing(Sleeper):
            def on_start(self):
                super().on_start()
                raise {error}

        settings(WORKER_COUNT=3)
        failed = start(Failing, 3)
        print(numbers(failed), numbers(start(count=3)))
    """) == ["[1, 2, 3] [1, 2, 3]"]


def test_an_id_is_kept_until_on_stop_is_over() -> None:
    assert said("""
        class Saying(Sleeper):
            def on_stop(self):
                gevent.sleep(0.1)
                said.append(user_id(self))

        settings(WORKER_COUNT=1)
        user, = start(Saying)
        other, = start()
        stop(user)
        print(said, numbers([other]))
    """) == ["['1'] [1]"]


def test_who_finds_no_number_waits_in_order_until_one_is_free() -> None:
    assert said("""
        settings(WORKER_COUNT=2)
        users = start(count=5)
        print(numbers(users))
        stop(users[1], users[3])
        print(numbers(users), users[2].uid.number)
        stop(users[0])
        print(users[4].uid.number)
    """) == ["[1, 2]", "[1, 2, 2] 2", "1"]


def test_a_user_who_is_stopped_while_it_waits_leaves_nothing_behind() -> None:
    assert said("""
        settings(WORKER_COUNT=1)
        users = start(count=3)
        stop(users[1])
        print(users[1].greenlet.dead, numbers(users))
        stop(users[0])
        print(numbers(users[1:]))
        stop(users[2])
        print(numbers(start()), len(hatchery._here()[0]._leases))
    """) == ["True [1]", "[1]", "[1] 1"]


def test_a_number_goes_to_nobody_who_has_ended_in_the_same_moment() -> None:
    assert said("""
        settings(WORKER_COUNT=1)
        users = start(count=4)
        gevent.killall([user.greenlet for user in users[:3]], block=False)
        gevent.sleep(0.05)
        print(numbers(users[1:]), numbers(start()))
    """) == ["[1] []"]


def test_a_wait_with_a_time_limit_does_not_cost_a_number() -> None:
    assert said("""
        class Impatient(Sleeper):
            def on_start(self):
                with gevent.Timeout(0.1, False):
                    user_id()

        settings(WORKER_COUNT=1)
        first, = start()
        impatient, = start(Impatient)
        gevent.sleep(0.2)
        third, = start()
        stop(first)
        print(numbers([third]), user_id(impatient))
        stop(impatient)
        print(numbers([third]))
    """) == ["[] 1", "[1]"]


def test_it_warns_once_when_users_have_waited_for_long() -> None:
    lines = said("""
        import sys
        logging.getLogger().handlers[0].setStream(sys.stdout)
        hatchery.PATIENCE_SECONDS = 0.3
        settings(WORKER_COUNT=2)
        users = start(count=4)
        gevent.sleep(0.5)
        users += start(count=1)
        gevent.sleep(0.5)
        print(numbers(users))
    """)
    assert len(lines) == 2 and lines[1] == "[1, 2]"
    assert "All 2 IDs of this worker are in use, and 2 of its users wait for one" in lines[0]
    assert "larger WORKER_COUNT" in lines[0]


def test_it_says_which_code_asks_for_nobody() -> None:
    assert said("""
        class Asking(Sleeper):
            def on_start(self):
                gevent.spawn(attempt, user_id).join()

        class Eager(Sleeper):
            def __init__(self, environment):
                super().__init__(environment)
                attempt(user_id, self)

        def attempt(ask, *args):
            try:
                ask(*args)
            except RuntimeError as error:
                said.append(str(error))

        attempt(user_id)
        attempt(user_id, "me")
        user, = start(Asking)
        start(Eager)
        stop(user)
        attempt(user_id, user)
        print(*said, sep="\\n")
    """) == [
        "This code is not run by a user itself: say which one is meant, as in user_id(self).",
        "str is no user that has begun: ask in on_start or in a task.",
        "This code is not run by a user itself: say which one is meant, as in user_id(self).",
        "Eager is no user that has begun: ask in on_start or in a task.",
        "The user has ended, and its ID may be somebody else's by now.",
    ]


@pytest.mark.parametrize("value", ["-1", "1.5", "x", "1" * 13])
def test_it_says_which_setting_makes_no_sense(value: str) -> None:
    assert said(f"""
        settings(WORKER_OFFSET="{value}")
        try:
            user_id()
        except ValueError as error:
            print(error)
    """) == [f"WORKER_OFFSET must be a whole number from 0 on, not '{value}'."]


def test_it_asks_for_more_while_users_wait_and_gives_them_back_when_nobody_does() -> None:
    assert said("""
        hatchery.RETRY_SECONDS = 0.05

        class Lending(Noted):
            asked, answers = [], [[], [51, 52, 53], [], [53]]

            def take(self, count):
                self.asked.append(count)
                gevent.sleep(0.02)
                return self.answers.pop(0)

        settings(WORKER_COUNT=2)
        backend = Lending()
        use(backend)
        users = start(count=4)
        gevent.sleep(0.3)
        print(numbers(users), backend.asked, backend.home)
        stop(users[0])
        stop(users[2])
        gevent.sleep(0.2)
        print(backend.home)
        users = start(count=2)
        gevent.sleep(0.3)
        print(numbers(users), backend.asked)
    """) == ["[1, 2, 51, 52] [2, 2] [[53]]", "[[53], [51]]", "[1, 53] [2, 2, 1, 1]"]


def test_it_goes_on_when_nobody_can_be_asked() -> None:
    assert said("""
        hatchery.RETRY_SECONDS = 0.05

        class Broken(Backend):
            asked = 0

            def take(self, count):
                self.asked += 1
                raise OSError("no master")

        logging.getLogger("hatchery").disabled = True
        settings(WORKER_COUNT=1)
        backend = Broken()
        use(backend)
        users = start(count=2)
        gevent.sleep(0.3)
        stop(users[0])
        asked = backend.asked
        gevent.sleep(0.2)
        print(asked > 2, backend.asked == asked, users[1].uid)
    """) == ["True True 1"]


def test_leases_and_sequences_are_reported_as_they_happen() -> None:
    assert said("""
        backend = Noted()
        use(backend)
        user, = start()
        with sequence(user) as n:
            pass
        stop(user)
        print(backend.told)
    """) == ["[('lease', 1, 'Sleeper'), ('sequence', 1, 1), ('release', 1)]"]


def test_a_sequence_counts_what_ended_well() -> None:
    assert said("""
        user, other = start(count=2)
        for place in range(5):
            try:
                with sequence(user) as n:
                    said.append(n)
                    if place in (1, 2):
                        raise ValueError
            except ValueError:
                pass
        with sequence(other) as n:
            print(said, n)
    """) == ["[1, 2, 2, 2, 3] 1"]


def test_a_sequence_goes_on_with_the_next_user_of_its_id() -> None:
    assert said("""
        from gevent.event import Event

        class Uploading(Numbered):
            @task
            def upload(self):
                for _ in range(2):
                    with sequence() as n:
                        said.append(n)
                with sequence() as n:
                    said.append(n)
                    Event().wait()  # until it is killed, in the middle of an upload

        settings(WORKER_COUNT=1)
        for _ in range(2):
            stop(*start(Uploading))
        print(said)
    """) == ["[1, 2, 3, 3, 4, 5]"]


def test_a_user_is_in_one_block_of_its_sequence_at_a_time() -> None:
    assert said("""
        user, = start()
        with sequence(user) as n:
            try:
                with sequence(user) as m:
                    print("both")
            except RuntimeError as error:
                print(error)
        with sequence(user) as n:
            print(n)
    """) == ["A block with the sequence of 1 has not ended yet; a user can be in one at a time.", "2"]


def test_a_block_that_outlives_its_user_counts_for_nothing() -> None:
    assert said("""
        settings(WORKER_COUNT=1)
        user, = start()
        with sequence(user) as n:
            stop(user)
            other, = start()
            with sequence(other) as m:
                pass
        with sequence(other) as k:
            print(n, m, k)
    """) == ["1 1 2"]


def test_data_rows_stop_the_user_who_asks_after_the_last(tmp_path: Path) -> None:
    assert said(f"""
        os.chdir({str(tmp_path)!r})
        open("users.csv", "w").write("name\\nann\\nbob\\n")

        class Buying(Numbered):
            @task
            def buy(self):
                said.append(hatchery.data_row("users.csv", at_end="stop")["name"])

        users = start(Buying, 3)
        print(said, [user.greenlet.dead for user in users])
    """) == ["['ann', 'bob'] [False, False, True]"]


def test_a_user_keeps_its_row(tmp_path: Path) -> None:
    assert said(f"""
        os.chdir({str(tmp_path)!r})
        open("users.csv", "w").write("name\\nann\\nbob\\ncid\\n")
        settings(WORKER_OFFSET=1)

        class Buying(Numbered):
            @task
            def buy(self):
                rows = [hatchery.data_row("users.csv", self, mode="per_user") for _ in range(2)]
                said.append((self.uid.number, rows[0]["name"], rows[1]["name"]))

        start(Buying, 3)
        print(said)
    """) == ["[(2, 'bob', 'bob'), (3, 'cid', 'cid'), (4, 'ann', 'ann')]"]


def test_what_the_backend_knows_of_a_file_comes_first(tmp_path: Path) -> None:
    assert said(f"""
        os.chdir({str(tmp_path)!r})
        open("users.csv", "w").write("name\\nann\\nbob\\n")
        settings(WORKER_INDEX=1, WORKER_TOTAL=2)

        class Knowing(Backend):
            def file_use(self, name):
                return ("shared", "recycle") if name == "users.csv" else None

        use(Knowing())
        print([hatchery.data_row("users.csv", mode="split", at_end="stop")["name"] for _ in range(3)])
        try:
            hatchery.data_row("other.csv", mode="mine")
        except ValueError as error:
            print(error)
    """) == ["['ann', 'bob', 'ann']", "mode is one of split, shared, per_user, and at_end one of recycle, stop."]


def test_a_file_is_read_once_for_all_who_want_it_and_others_go_on(tmp_path: Path) -> None:
    assert said(f"""
        os.chdir({str(tmp_path)!r})
        open("users.csv", "w").write("name\\n" + "".join(f"user{{n}}\\n" for n in range(200_000)))
        hatchery.PAUSE_LINES = 20_000

        class Buying(Numbered):
            @task
            def buy(self):
                said.append(hatchery.data_row("users.csv")["name"])

        ticks = []
        gevent.spawn(lambda: [ticks.append(len(said)) or gevent.sleep(0.001) for _ in range(10)])
        start(Buying, 3)
        gevent.sleep(1)
        print(said, ticks.count(0) > 3, len(hatchery._files._tables))
    """) == ["['user0', 'user1', 'user2'] True 1"]


def test_thousands_of_users_cost_little() -> None:
    """Ten thousand come and go in any order; no number is lost."""
    seconds, used = said("""
        import random
        settings(WORKER_COUNT=10_000)

        class Plain(User):
            def run(self):
                self.uid = user_id(self)
                gevent.sleep(60)

        users = [Plain(environment) for _ in range(12_000)]
        began = time.perf_counter()
        for user in users:
            user.start(group)
        gevent.sleep(0.05)
        random.Random(1).shuffle(users)
        gevent.killall([user.greenlet for user in users[:6_000]])
        gevent.sleep(0.05)
        print(time.perf_counter() - began)
        print(len({user.uid.number for user in users[6_000:]}))
    """)
    assert float(seconds) < 20
    assert int(used) == 6_000
