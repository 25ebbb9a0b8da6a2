"""Which packets are lost and late is chosen once, by a seed."""

from evaluation.routes.lossy_path import LossyPath, Network


def delays(network: Network, name: str = "clip", n: int = 2000) -> tuple[list[float | None], LossyPath]:
    path = network.path(name)
    return [path.delay_s() for _ in range(n)], path


def test_the_same_packets_are_lost_at_every_run_and_others_of_another_clip() -> None:
    network = Network(0.05, 0.03, seed=1)
    assert delays(network)[0] == delays(network)[0]
    assert delays(network)[0] != delays(network, "another")[0]
    assert delays(network)[0] != delays(Network(0.05, 0.03, seed=2))[0]


def test_loss_is_a_share_and_jitter_a_bound() -> None:
    came, path = delays(Network(0.05, 0.03))
    assert path.n_sent == 2000
    assert came.count(None) == path.n_lost
    assert 60 <= path.n_lost <= 140
    late = [delay for delay in came if delay is not None]
    assert 0 <= min(late) < 0.001
    assert 0.029 < max(late) <= 0.03


def test_more_loss_takes_more_packets_and_leaves_the_others_as_late_as_they_were() -> None:
    some, more = delays(Network(0.05, 0.03))[0], delays(Network(0.2, 0.03))[0]
    assert all(after in (None, before) for before, after in zip(some, more, strict=True))


def test_without_both_nothing_happens_to_any() -> None:
    assert set(delays(Network())[0]) == {0.0}
