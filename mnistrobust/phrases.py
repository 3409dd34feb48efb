"""What each word of a margin means, in a phrase for a person; the bounds are those of `words`."""

from types import MappingProxyType

from mnistrobust import words

MEANINGS = MappingProxyType(
    {
        "high accuracy": f"at least {words.HIGH_ACCURACY:g}",
        "good job": f"at least {words.GOOD_JOB:g}",
        "bad job": f"less than {words.BAD_JOB:g}",
        "does not do well": f"less than {words.DOES_NOT_DO_WELL:g}",
        "better": f"more than +{words.BETTER:g}",
        "worse": f"a difference of more than −{words.BETTER:g}",
        "not better": f"at most +{words.BETTER:g}",
        "much better": f"more than +{words.MUCH_BETTER:g}",
        "much worse": f"a difference of more than −{words.MUCH_BETTER:g}",
        "as good": f"at most {words.AS_GOOD:g} below",
        "similar": f"within ±{words.SIMILAR:g}",
        "similar at 1,000 rows": f"within ±{words.SIMILAR_AT_1000_ROWS:g}",
        "follows": f"no gap above {words.AS_GOOD:g}",
        "most": f"a share above {words.MOST:g}",
        "almost entirely": f"a share of at least {words.ALMOST_ENTIRELY:g}",
        "every thing": f"a share of at least {words.EVERY:g}",
        "high confidence": f"a share of at least {words.HIGH_CONFIDENCE:g} above 0.9",
        "not confident": f"a share of at most {words.NOT_CONFIDENT:g} above 0.9",
        "a small number": f"a share of at most {words.NOT_CONFIDENT:g}",
        "dimensions": "exactly as many",
    }
)
