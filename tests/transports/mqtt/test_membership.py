"""Which of several servers serves a device: the rule, and that all come to the same result."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.transports.mqtt.membership import (
    KEPT_LEASE_S,
    LEASE_S,
    Claim,
    Kind,
    Membership,
    Presence,
    read_presence,
)

SERVES_ALL = Presence(serves={"device": None, "site": None})
LEAVES = Presence(is_leaving=True, serves=SERVES_ALL.serves)
NAMES = [f"device-{number}" for number in range(300)]


def seen_by(own: str, *servers: str, now: float = 0.0) -> Membership:
    """Own and others are there."""
    membership = Membership(own)
    for server in (own, *servers):
        membership.heard(server, SERVES_ALL, now, was_kept=False)
    return membership


def served(membership: Membership, kind: Kind = "device") -> set[str]:
    return {name for name in NAMES if membership.serves(kind, name)}


def test_each_device_is_served_by_one_of_three_and_each_serves_its_share() -> None:
    servers = ("a", "b", "c")
    shares = [served(seen_by(own, *(set(servers) - {own}))) for own in servers]
    assert Counter(name for share in shares for name in share) == Counter(NAMES)
    assert min(map(len, shares)) > 60


def test_who_comes_or_goes_moves_no_other_devices() -> None:
    two, three = seen_by("a", "b"), seen_by("a", "b", "c")
    assert served(three) < served(two)
    three.heard("c", None, 1.0, was_kept=False)
    assert served(three) == served(two)


def test_a_server_serves_nobody_before_it_has_joined_and_all_where_it_is_not_heard() -> None:
    membership = Membership("a")
    assert not membership.serves("device", "kitchen")
    membership.is_unheard = True
    assert membership.serves("device", "kitchen")
    assert membership.is_alone
    assert membership.leads


def test_what_is_held_stays_where_it_is_whoever_comes() -> None:
    membership = seen_by("a")
    for name in NAMES[:100]:
        membership.claimed(Claim("a", "device", name, b"{}"))
    for server in "bcdef":
        membership.heard(server, SERVES_ALL, 0.0, was_kept=False)
    assert set(NAMES[:100]) <= served(membership)
    assert len(served(membership)) < 180


def test_of_two_that_hold_a_device_the_first_one_serves_it_until_it_lets_go() -> None:
    membership = seen_by("a", "b")
    membership.claimed(Claim("b", "device", "kitchen", b"{}"))
    membership.claimed(Claim("a", "device", "kitchen", b"{}"))
    membership.claimed(Claim("b", "device", "kitchen", b"{1}"))
    assert membership.holder("device", "kitchen") == "b"
    membership.released("b", "device", "kitchen")
    assert membership.serves("device", "kitchen")


@pytest.mark.parametrize("ends", ["withdrawn", "not renewed"])
def test_what_a_server_held_that_is_gone_is_an_orphan_of_one_of_the_others(ends: str) -> None:
    views = [seen_by("a", "b", "c"), seen_by("b", "a", "c")]
    for membership in views:
        for name in NAMES:
            membership.claimed(Claim("c", "device", name, b"{}"))
        assert not membership.orphans()
        if ends == "withdrawn":
            membership.heard("c", None, 1.0, was_kept=False)
        else:
            for alive in "ab":
                membership.heard(alive, SERVES_ALL, LEASE_S - 1, was_kept=False)
            assert membership.expire(LEASE_S)
    orphans = [claim.name for membership in views for claim in membership.orphans()]
    assert sorted(orphans) == sorted(NAMES)


def test_a_server_does_not_forget_itself() -> None:
    membership = seen_by("a")
    assert not membership.expire(1000 * LEASE_S)
    assert membership.serves("device", "kitchen")


def test_a_presence_that_the_broker_had_kept_ends_soon_unless_its_server_says_it_again() -> None:
    membership = seen_by("a")
    membership.heard("dead", SERVES_ALL, 0.0, was_kept=True)
    membership.heard("alive", SERVES_ALL, 0.0, was_kept=True)
    membership.heard("alive", SERVES_ALL, 0.1, was_kept=False)
    assert membership.others == {"dead", "alive"}
    assert membership.expire(KEPT_LEASE_S)
    assert membership.others == {"alive"}
    membership.heard("alive", SERVES_ALL, 1.0, was_kept=True)
    assert not membership.expire(KEPT_LEASE_S + 2)


def test_one_that_leaves_begins_nothing_and_keeps_what_it_holds() -> None:
    leaving, other = seen_by("a", "b"), seen_by("b", "a")
    for membership in (leaving, other):
        membership.claimed(Claim("a", "device", "kitchen", b"{}"))
        assert membership.heard("a", LEAVES, 1.0, was_kept=False)
    assert served(leaving) == set()
    assert served(other) == set(NAMES)
    assert leaving.serves("device", "kitchen")
    assert not other.serves("device", "kitchen")
    assert not leaving.leads
    assert other.leads
    assert not leaving.is_alone


def test_a_site_is_served_by_one_that_is_set_to_serve_it() -> None:
    membership = seen_by("a")
    membership.heard("b", Presence(serves={"device": None, "site": ("hall",)}), 0.0, was_kept=False)
    membership.heard("c", Presence(serves={"device": None}), 0.0, was_kept=False)
    assert served(membership, "site") == set(NAMES)
    assert len(served(membership)) < 150
    only = Membership("a")
    only.heard("a", Presence(serves={"site": ("hall",)}), 0.0, was_kept=False)
    assert only.serves("site", "hall")
    assert not only.serves("site", "bath")


def test_renewing_a_presence_changes_nothing() -> None:
    membership = seen_by("a", "b")
    assert not membership.heard("b", SERVES_ALL, 5.0, was_kept=False)
    assert membership.heard("b", None, 6.0, was_kept=False)
    assert not membership.heard("b", None, 7.0, was_kept=False)


@pytest.mark.parametrize("payload", [b"", b"null", b"[]", b"\xff", b'{"serves": 3}', b"{" * 9000])
def test_what_is_no_presence_is_none(payload: bytes) -> None:
    assert read_presence(payload) is None


_said = st.one_of(
    st.tuples(st.just("here"), st.sampled_from("abc"), st.just("")),
    st.tuples(st.just("leaves"), st.sampled_from("abc"), st.just("")),
    st.tuples(st.just("gone"), st.sampled_from("abc"), st.just("")),
    st.tuples(st.just("claims"), st.sampled_from("abc"), st.sampled_from(NAMES[:3])),
    st.tuples(st.just("releases"), st.sampled_from("abc"), st.sampled_from(NAMES[:3])),
)


@given(st.lists(_said, max_size=40))
def test_all_that_hear_the_same_agree_who_serves_whom(said: list[tuple[str, str, str]]) -> None:
    views = [Membership(own) for own in "abc"]
    staying: set[str] = set()
    for what, server, name in said:
        if what == "here":
            staying.add(server)
        elif what in ("gone", "leaves"):
            staying.discard(server)
        for view in views:
            match what:
                case "here" | "leaves":
                    view.heard(server, SERVES_ALL if what == "here" else LEAVES, 0.0, was_kept=False)
                case "gone":
                    view.heard(server, None, 0.0, was_kept=False)
                case "claims":
                    view.claimed(Claim(server, "device", name, b"{}"))
                case "releases":
                    view.released(server, "device", name)
        for name in NAMES[:3]:
            serving = [view.own for view in views if view.serves("device", name)]
            holders = {view.holder("device", name) for view in views}
            assert len(serving) <= 1
            assert len(holders) == 1
            assert holders == {None} or serving == list(holders)
            stays = [view for view in views if view.own in staying]
            assert bool(serving) == bool(stays or holders != {None})
