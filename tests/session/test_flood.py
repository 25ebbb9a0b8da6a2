"""The budget of events: a burst and a steady rate, over time that is an argument."""

from realtime.session.flood import EventBudget


def test_a_burst_is_within_the_budget_and_one_more_is_not() -> None:
    budget = EventBudget(now=0.0, per_s=10.0, burst=5.0)
    assert [budget.spend(0.0) for _ in range(6)] == [True] * 5 + [False]


def test_the_budget_comes_back_at_its_rate() -> None:
    budget = EventBudget(now=0.0, per_s=10.0, burst=5.0)
    for _ in range(5):
        budget.spend(0.0)
    assert not budget.spend(0.05)
    assert budget.spend(0.15)
    assert not budget.spend(0.16)


def test_a_long_silence_saves_up_no_more_than_a_burst() -> None:
    budget = EventBudget(now=0.0, per_s=10.0, burst=5.0)
    assert [budget.spend(1000.0) for _ in range(6)] == [True] * 5 + [False]


def test_a_large_event_counts_for_many() -> None:
    budget = EventBudget(now=0.0)
    large = [budget.spend(0.0, 1024 * 1024) for _ in range(40)]
    assert large.count(True) == 30
    assert large == sorted(large, reverse=True)
    assert budget.spend(10.0, 1024 * 1024)
