"""Which reports are of one call: decided by spans, intervals and response ids, whatever order they come in."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as some

from aggregates.domain.calls import Call
from aggregates.ingest.identity import RETRIEVALS, Identity, Report, identify

NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)
OPENAI, OPENINFERENCE, OPENLLMETRY = "opentelemetry.instrumentation.openai_v2", "openinference", "openllmetry"
SDK, LITELLM = "com.anthropic.sdk.python", "litellm"


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def report(span: str, begins: float = 0, ends: float = 1, scope: str = OPENAI, **rest: object) -> Report:
    """Make the report of a call of 100 and 10 tokens; `call` changes its fields, None makes it no call."""
    fields = rest.pop("call", {})
    parts = {"timestamp": at(begins), "model": "gpt-4o", "latency_ms": int((ends - begins) * 1000)}
    tokens = {"input_tokens": 100, "output_tokens": 10}
    call = None if fields is None else Call(**{**parts, **tokens, **fields})  # type: ignore[arg-type]
    return Report(span, scope, at(begins), at(ends), **{"trace": "t", "call": call, **rest})  # type: ignore[arg-type]


SILENT = {"input_tokens": 0, "output_tokens": 0}
POLLS = OPENINFERENCE + RETRIEVALS
LONG = "resp_" + "0a" * 24


def spans_of(identities: list[Identity]) -> list[set[str]]:
    return [set(identity.spans) for identity in identities]


def test_an_id_that_a_provider_repeats_is_no_identity() -> None:
    hours = [report(f"s{n}", n * 3600, n * 3600 + 1, trace=f"t{n}", response_id="chatcmpl-7") for n in range(3)]

    assert len(identify(hours)) == 3


@pytest.mark.parametrize("response_id", ["None", "null", "", "0", "-", "00000000-0000-0000-0000-000000000000"])
def test_words_for_nothing_are_no_ids(response_id: str) -> None:
    litellm = report("a", scope=LITELLM, trace="", response_id=response_id)

    assert len(identify([litellm, report("b", trace="x", response_id=response_id)])) == 2


def test_the_same_call_over_two_doors_counts_once() -> None:
    event = report("litellm-1", 0, 1.5, LITELLM, trace="", response_id="chatcmpl-x", call={"cost": Decimal("0.0035")})
    span = report("s", 0, 1.4, response_id="chatcmpl-x", user_id="u1")

    (one,) = identify([event, span])

    assert (one.call.cost, one.call.user_id, one.response_id) == (Decimal("0.0035"), "u1", "chatcmpl-x")


def test_two_doors_with_other_tokens_are_two_calls() -> None:
    event = report("litellm-1", scope=LITELLM, trace="", response_id="chatcmpl-x", call={"input_tokens": 7})

    assert len(identify([event, report("s", response_id="chatcmpl-x")])) == 2


def test_the_span_that_tells_usage_counts_with_what_the_other_knows() -> None:
    outer = report("chain", 0, 5, OPENINFERENCE, user_id="erin", operation="support")
    inner = report("sdk", 0, 4, parent="chain", response_id="chatcmpl-s", call={**SILENT, "provider": "openai"})

    (one,) = identify([outer, inner])

    assert (one.call.input_tokens, one.call.provider, one.call.user_id) == (100, "openai", "erin")
    assert (one.call.operation, one.response_id) == ("support", "chatcmpl-s")


def test_wrappers_at_any_depth_are_the_call_within() -> None:
    chains = [report(f"c{n}", parent=f"c{n + 1}", scope="langsmith") for n in range(5)]

    assert spans_of(identify(chains)) == [{"c0", "c1", "c2", "c3", "c4"}]


def test_a_span_around_two_calls_is_none() -> None:
    two = [report(f"s{n}", n, n + 1, parent="chain", response_id=f"r{n}") for n in range(2)]

    found = identify([report("chain", 0, 2, "langsmith", call={"input_tokens": 200}), *two])

    assert spans_of(found) == [{"s0"}, {"s1"}]


def test_nested_spans_that_name_two_responses_are_two_calls() -> None:
    assert len(identify([report("a", response_id="r1"), report("b", parent="a", response_id="r2")])) == 2


def test_a_failed_try_within_a_call_that_worked_stays_a_call() -> None:
    failed = report("try", 0, 0.1, parent="outer", scope=OPENLLMETRY, call={**SILENT, "status": "error"})

    calls = [identity.call for identity in identify([report("outer"), failed])]

    assert sorted((call.status, call.input_tokens) for call in calls) == [("error", 0), ("ok", 100)]


def test_siblings_of_two_instrumentations_are_one_call_each() -> None:
    calls = []
    for number in range(4):  # all at once, with the same tokens
        calls.append(report(f"l{number}", 0, 1 + number / 100, OPENINFERENCE, parent="p", user_id="u"))
        calls.append(report(f"s{number}", 0.1, 0.9 + number / 100, SDK, parent="p", response_id=f"msg_{number}"))

    found = spans_of(identify(calls))

    assert [sorted(span[0] for span in spans) for spans in found] == [["l", "s"]] * 4


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("amazon.nova-pro-v1:0", "bedrock/us.amazon.nova-pro-v1:0"),
        ("openai:gpt-4o", "gpt-4o-2024-08-06"),
        ("models/gemini-2.5-flash", "google/gemini-2.5-flash"),
    ],
)
def test_siblings_may_name_the_model_with_its_maker_or_provider(one: str, other: str) -> None:
    outer = report("a", 0, 1, OPENINFERENCE, parent="p", call={"model": one})

    assert len(identify([outer, report("b", 0.1, 0.9, SDK, parent="p", call={"model": other})])) == 1


@pytest.mark.parametrize(
    ("one", "other"), [("gpt-4o", "gpt-4o-mini"), ("ft:gpt-4o", "gpt-4o"), ("anthropic.claude-x", "amazon.nova-x")]
)
def test_siblings_of_other_models_are_calls_of_their_own(one: str, other: str) -> None:
    outer = report("a", 0, 1, OPENINFERENCE, parent="p", call={"model": one})

    assert len(identify([outer, report("b", 0.1, 0.9, SDK, parent="p", call={"model": other})])) == 2


def test_calls_of_one_instrumentation_never_become_one() -> None:
    assert len(identify([report(f"s{number}", parent="p") for number in range(5)])) == 5


def test_two_spans_of_one_failure_are_one_call() -> None:
    failed = {**SILENT, "status": "error"}
    found = identify(
        [report("a", 0, 1, OPENLLMETRY, parent="p", call=failed), report("b", 0.1, 0.9, SDK, parent="p", call=failed)]
    )

    assert [identity.call.status for identity in found] == ["error"]


def test_a_stream_in_a_trace_of_its_own_is_the_call_of_the_sdk() -> None:
    own = report("oi", 0, 2, OPENINFERENCE, trace="x", project="bot", user_id="u-17")
    sdk = report("sdk", 0.1, 1.9, SDK, trace="y", project="bot", response_id="msg_1", call={"cached_tokens": 50})

    (one,) = identify([own, sdk])

    assert (one.call.cached_tokens, one.call.user_id, one.spans[0]) == (50, "u-17", "sdk")


def test_other_programs_are_other_calls() -> None:
    own = report("oi", 0, 2, OPENINFERENCE, trace="x", project="bot")

    assert len(identify([own, report("sdk", 0.1, 1.9, SDK, trace="y", project="cron")])) == 2


def test_likelihood_alone_keeps_both_and_says_so() -> None:
    silent = report("a", 0, 1, OPENLLMETRY, parent="p", call=SILENT)

    found = identify([silent, report("b", 0.1, 0.9, SDK, parent="p", response_id="m")])

    assert {identity.spans[0]: identity.doubts for identity in found} == {"a": ("b",), "b": ("a",)}


def test_a_streams_log_record_belongs_to_the_span_before_it() -> None:
    streams = []
    for number in range(2):
        streams.append(report(f"s{number}", number, number + 0.3, "logfire", parent="p", call=SILENT))
        tokens = {"input_tokens": 100 + number}
        record = report(f"l{number}", number + 0.9, number + 0.9, "logfire", parent="p", call=tokens, is_log=True)
        streams.append(record)

    found = identify(streams)

    assert [(one.call.timestamp, one.call.latency_ms, one.call.input_tokens) for one in found] == [
        (at(0), 900, 100),
        (at(1), 900, 101),
    ]


def test_a_stream_lasts_until_it_is_read_whose_own_span_ends_before() -> None:
    stream = [
        report("s", 0, 0.3, "logfire", parent="p", call=SILENT),
        report("l", 0.9, 0.9, "logfire", parent="p", is_log=True),
    ]

    (one,) = identify([*stream, report("sdk", 0.1, 0.8, SDK, parent="p", response_id="msg_1")])

    assert set(one.spans) == {"s", "l", "sdk"}


def test_whoever_is_named_by_a_span_around_the_call_made_it() -> None:
    web = report("web", -1, 2, "app", call=None, user_id="u-17", project="shop")

    (one,) = identify([report("s", parent="middle"), report("middle", scope="app", call=None, parent="web"), web])

    assert (one.call.user_id, one.call.project) == ("u-17", "shop")


def test_spans_that_are_each_others_parents_end() -> None:
    assert len(identify([report("a", parent="b"), report("b", parent="a")])) == 1


@dataclass
class Story:
    """Calls that were made, and the reports of them."""

    calls: int = 0
    reports: list[Report] = field(default_factory=list)


def test_each_part_is_of_whichever_report_tells_it() -> None:
    call = {"input_tokens": 900, "output_tokens": 90}
    (found,) = identify(
        [
            report("sdk", 1, 2, SDK, parent="chain", call={**call, "reasoning_tokens": 30, "cached_tokens": 100}),
            report("chain", 0, 3, "langchain", call={**call, "cached_tokens": 500, "cache_write_tokens": 200}),
        ]
    )
    assert (found.call.cached_tokens, found.call.cache_write_tokens, found.call.reasoning_tokens) == (500, 200, 30)


def test_parts_that_do_not_fit_together_stay_as_the_best_report_tells_them() -> None:
    call = {"input_tokens": 900, "output_tokens": 90}
    (found,) = identify(
        [
            report("sdk", 1, 2, SDK, parent="chain", call={**call, "cached_tokens": 600}),
            report("chain", 0, 3, "langchain", call={**call, "cache_write_tokens": 400}),
        ]
    )
    assert (found.call.cached_tokens, found.call.cache_write_tokens) == (600, 0)


@pytest.mark.parametrize(
    ("provider", "outer", "tokens"),
    [
        ("aws", {"input_tokens": 740, "cached_tokens": 600, "cache_write_tokens": 40}, (740, 600, 40)),
        ("aws", {"input_tokens": 741, "cached_tokens": 600, "cache_write_tokens": 40}, (100, 0, 0)),
        ("aws", {"input_tokens": 700, "cached_tokens": 600, "output_tokens": 11}, (100, 0, 0)),
        ("openai", {"input_tokens": 140, "cached_tokens": 40}, (100, 0, 0)),
    ],
)
def test_caches_that_only_the_outer_span_tells_are_beside_the_input_of_bedrock(
    provider: str, outer: dict[str, object], tokens: tuple[int, ...]
) -> None:
    wrapper = report("chat", 0, 3, "strands.telemetry.tracer", call=outer)
    (found,) = identify([report("converse", 1, 2, parent="chat", call={"provider": provider}), wrapper])
    assert (found.call.input_tokens, found.call.cached_tokens, found.call.cache_write_tokens) == tokens


def test_a_retrieval_tells_the_usage_of_the_call_that_made_the_response() -> None:
    asks = report("asks", 0, 1, call=SILENT, trace="a", user_id="alice")
    polls = [report(f"poll{n}", n, n + 1, POLLS, trace=f"p{n}", call={"input_tokens": 70}) for n in (5, 9)]
    (found,) = identify([*polls, asks])
    assert (found.call.input_tokens, found.call.timestamp, found.call.user_id) == (70, at(0), "alice")


def test_a_retrieval_of_another_response_is_a_call() -> None:
    asks = report("asks", 0, 1, call=SILENT, response_id=LONG)
    other = report("poll", 5, 6, POLLS, call={"input_tokens": 70}, response_id=LONG[:-1] + "b")
    assert spans_of(identify([asks, other])) == [{"asks"}, {"poll"}]
    same = other._replace(response_id=LONG)
    assert spans_of(identify([asks, same])) == [{"asks", "poll"}]


@pytest.mark.parametrize(("others", "polled"), [("", LONG), ("chatcmpl-1", LONG), ("chatcmpl-1", "")])
def test_a_retrieval_is_not_of_another_call_with_the_same_usage(others: str, polled: str) -> None:
    other = report("other", 0, 1, call={"input_tokens": 70}, response_id=others)
    asks = report("asks", 2, 3, call=SILENT)
    polls = [report(f"poll{n}", n, n + 1, POLLS, call={"input_tokens": 70}, response_id=polled) for n in (5, 9)]
    found = identify([other, asks, *polls])
    assert [one.call.input_tokens for one in found] == [70, 70]
    assert spans_of(found) == [{"asks", "poll5", "poll9"}, {"other"}]


def test_polls_before_a_response_is_there_are_no_calls() -> None:
    asks = report("asks", 0, 1, call=SILENT)
    waits = report("waits", 3, 4, POLLS, call=SILENT, response_id=LONG)
    told = report("told", 5, 6, POLLS, call={"input_tokens": 70}, response_id=LONG)
    assert spans_of(identify([asks, waits, told])) == [{"asks", "told", "waits"}]
    assert spans_of(identify([asks, waits._replace(response_id="")])) == [{"asks"}]


@pytest.mark.parametrize("changed", [{"starts_at": at(-9)}, {"user_id": "bob"}, {"project": "other"}])
def test_a_call_waits_for_its_own_retrieval(changed: dict[str, object]) -> None:
    asks = report("asks", 0, 1, call=SILENT, user_id="alice")
    poll = report("poll", 5, 6, POLLS, call={"input_tokens": 70}, user_id="alice")
    assert len(identify([asks, poll])) == 1
    assert len(identify([asks, poll._replace(**changed)])) == 2


@some.composite
def polled(draw: some.DrawFn, number: int, begins: float, trace: str, tokens: dict[str, int]) -> list[Report]:
    """A call that is made in the background and polled: the polls tell its usage once it is there.

    Before, polls that name no response are no reports of a call; and who makes it may not know the response's name.
    """
    name = draw(some.sampled_from(["", f"resp_{number:048x}"]))
    asks = {"trace": trace, "call": SILENT, "response_id": draw(some.sampled_from(["", name]))}
    answered = draw(some.integers(1, 3))
    waits = draw(some.integers(0, 2)) if name else 0
    return [
        report(f"{number}-asks", begins, begins + 0.1, OPENINFERENCE, **asks),
        *(
            report(
                f"{number}-{poll}",
                begins + poll,
                begins + poll + 0.1,
                POLLS,
                trace=draw(some.sampled_from([trace, f"p{number}-{poll}"])),
                call=SILENT if poll <= waits else tokens,
                response_id=name,
            )
            for poll in range(1, waits + answered + 1)
        ),
    ]


@some.composite
def stories(draw: some.DrawFn) -> Story:
    """Some calls, one after the other or at once, each told by one to three instrumentations in its own way."""
    story = Story()
    for number in range(draw(some.integers(1, 6))):
        begins = draw(some.sampled_from([0, 0, 10 * number]))
        trace = draw(some.sampled_from(["t", f"t{number}"]))
        identified = draw(some.booleans())
        response = f"r{number}" if identified else ""
        tokens = {"input_tokens": 100, "output_tokens": draw(some.sampled_from([10, 20 + number]))}
        shapes = ["alone", "nested", "siblings" if identified else "nested", "chain", "steps", "background"]
        shape = draw(some.sampled_from(shapes))
        common = {"trace": trace, "call": tokens, "response_id": response}
        sdk = report(f"{number}-sdk", begins + 0.1, begins + 0.9, SDK, parent=f"{number}-0", **common)
        if shape == "alone":
            story.reports.append(sdk)
        elif shape == "siblings":
            other = {**common, "response_id": response}
            story.reports += [
                sdk,
                report(f"{number}-oi", begins, begins + 1, OPENINFERENCE, parent=f"{number}-0", **other),
            ]
        elif shape == "steps":  # an agent's steps are no calls, and lie between those who tell of one
            step = Report(f"{number}-step", "agents", at(begins), at(begins + 1), trace, f"{number}-outer")
            outer = report(f"{number}-outer", begins, begins + 1, "agents", **{**common, "response_id": ""})
            story.reports += [sdk._replace(parent=step.span), step, outer]
        elif shape == "background":
            story.reports += draw(polled(number, begins, trace, tokens))
        else:
            depth = 1 if shape == "nested" else draw(some.integers(2, 4))
            common["response_id"] = ""
            outer = [
                report(f"{number}-{n}", begins, begins + 1, "langsmith", parent=f"{number}-{n + 1}", **common)
                for n in range(depth)
            ]
            story.reports += [sdk, *outer]
        story.calls += 1
    return story


@given(stories(), some.randoms(use_true_random=False))
def test_calls_are_counted_once_whoever_reports_them_in_any_order(story: Story, chance: random.Random) -> None:
    shuffled = [*story.reports, *chance.sample(story.reports, len(story.reports) // 2)]
    chance.shuffle(shuffled)

    assert len(identify(story.reports)) == story.calls
    assert identify(shuffled) == identify(story.reports)


@given(
    some.lists(
        some.tuples(
            some.integers(0, 5), some.sampled_from(["a", "b"]), some.sampled_from(["x", "None"]), some.integers(1, 2)
        ),
        max_size=12,
    )
)
def test_no_call_vanishes_whatever_ids_a_provider_gives(made: list[tuple[int, str, str, int]]) -> None:
    calls = [
        report(f"s{n}", begins, begins + 1, trace=trace, response_id=response, call={"input_tokens": tokens})
        for n, (begins, trace, response, tokens) in enumerate(made)
    ]

    assert len(identify(calls)) == len(calls)
