"""Random streams that many keys have."""

from mnistrobust.randomness import stream


def test_no_two_of_a_thousand_keys_share_a_stream():
    """The whole digest of a key counts: a byte of it would let seeds meet."""
    first = {int(stream(seed, "train-offset").integers(2**63)) for seed in range(1000)}

    assert len(first) == 1000
