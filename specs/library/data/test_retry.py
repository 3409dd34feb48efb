"""When a download that failed is tried again."""

import pytest

from mnistrobust.data import download
from mnistrobust.errors import DataError


def test_a_failed_download_rests_for_an_hour_unless_it_is_asked_for(monkeypatch, tmp_path):
    """`--retry` tries again at once, and nothing tries without the network."""
    tried = []

    def probe(url):
        tried.append(url)
        raise OSError("no route")

    monkeypatch.setattr(download, "_probe", probe)

    def fetched(**options):
        with pytest.raises(DataError) as caught:
            download.fetch(tmp_path / "mnist.npz", **options)
        return str(caught.value)

    assert "no route" in fetched(offline=False, retry=False)
    assert "within the last hour" in fetched(offline=False, retry=False)
    assert "no route" in fetched(offline=False, retry=True)
    assert "--offline forbids" in fetched(offline=True, retry=True)
    assert len(tried) == 2
