"""The demo's three organizations, and what each one's charts tell."""

from aggregates.ops.demo.story import Batch, Credit, Model, Operation, Story, Tool

OFFICE = (0, 0, 0, 0, 0, 0, 1, 3, 8, 14, 15, 13, 8, 12, 15, 14, 10, 5, 2, 1, 1, 0, 0, 0)
EVENING = (4, 2, 1, 1, 1, 1, 2, 3, 4, 5, 6, 6, 7, 7, 7, 8, 9, 11, 14, 16, 17, 15, 11, 7)
PEOPLE = ("alice", "bob", "charlie")


def users(kind: str, number: int) -> tuple[str, ...]:
    """Name users: a few by name, and a long tail by number."""
    return (*PEOPLE, *(f"{kind}-{101 + 7 * count}" for count in range(number)))


# Players come in the evening and at weekends; a year of steady growth, mostly on small models, one of them self-hosted
# and without a price.
GAMES = Story(
    slug="lumen-games",
    name="Lumen Games",
    time_zone="America/Los_Angeles",
    calls_a_day=40,
    growth=2.4,
    weekend=1.4,
    hours=EVENING,
    users=users("designer", 30),
    subject="player",
    subjects=600,
    operations=(
        Operation(
            "npc-dialogue",
            "skyward",
            6,
            (
                Model("google", "gemini-2.5-flash", 0.6),
                Model("openai", "gpt-4o", 0.4, fades_out=(0.35, 0.5)),
                Model("openai", "gpt-5-mini", 0.4, fades_in=(0.35, 0.5)),
            ),
            input_tokens=9_500,
            output_tokens=320,
            prompt_tokens=6_000,
        ),
        Operation("chat-moderation", "skyward", 3, (Model("vllm", "llama-3.3-70b"),), 900, 40),
        Operation("quest-writing", "deep-harbor", 1, (Model("anthropic", "claude-sonnet-4-5"),), 48_000, 7_500),
        Operation("level-review", "deep-harbor", 0.6, (Model("google", "gemini-2.5-pro"),), 130_000, 6_500, 0, 0.5),
    ),
)

# A support team in office hours: an older model gives way to a newer one, and half-way the long instructions that every
# answer begins with are cached. One morning its provider was out. Some answers were looked up on the web.
SUPPORT = Story(
    slug="brightdesk",
    name="Brightdesk Support",
    time_zone="Europe/Berlin",
    calls_a_day=54,
    growth=1.9,
    weekend=0.06,
    hours=OFFICE,
    users=users("agent", 60),
    subject="customer",
    subjects=400,
    operations=(
        Operation(
            "answer-draft",
            "helpdesk",
            5,
            (
                Model("anthropic", "claude-sonnet-4", fades_out=(0.55, 0.75)),
                Model("anthropic", "claude-sonnet-4-5", fades_in=(0.55, 0.75)),
            ),
            input_tokens=38_000,
            output_tokens=1_300,
            prompt_tokens=30_000,
            tool=Tool("web_searches", one_in=8, most=2, price="0.01"),
        ),
        Operation("ticket-summary", "helpdesk", 3, (Model("anthropic", "claude-haiku-4-5"),), 14_000, 600, 5_000),
        Operation(
            "translation",
            "helpdesk",
            1.5,
            (Model("openai", "gpt-5-mini"),),
            input_tokens=1_200,
            output_tokens=1_100,
            tool=Tool("file_searches", one_in=3, most=1, price="0.0025"),  # in the glossary
        ),
        Operation("article-index", "knowledge-base", 1, (Model("openai", "text-embedding-3-large"),), 2_400, 0),
    ),
    caching_from=0.5,
    outage_at=0.83,
    credit=Credit("anthropic", "2.50", "volume discount"),
)

# Analysts and engineers with large documents and code; one week somebody ran eight years of contracts through the most
# expensive model.
ANALYTICS = Story(
    slug="monsoon-analytics",
    name="Monsoon Analytics",
    time_zone="Asia/Kolkata",
    calls_a_day=36,
    growth=2.2,
    weekend=0.12,
    hours=OFFICE,
    users=users("analyst", 30),
    subject="document",
    subjects=240,
    operations=(
        Operation(
            "code-review",
            "platform",
            4,
            (
                Model("openai", "gpt-4o", 0.7, fades_out=(0.2, 0.4)),
                Model("openai", "gpt-5", 0.7, fades_in=(0.2, 0.4)),
                Model("anthropic", "claude-sonnet-4-5", 0.3),
            ),
            input_tokens=88_000,
            output_tokens=5_200,
            prompt_tokens=12_000,
            reasoning_share=0.6,
        ),
        Operation("report-extraction", "reports", 3, (Model("google", "gemini-2.5-pro"),), 115_000, 3_400, 8_000, 0.3),
        Operation("data-questions", "reports", 2, (Model("google", "gemini-2.5-flash"),), 21_000, 900),
    ),
    batch=Batch(
        at=0.71,
        calls=210,
        user="batch-runner",
        operation=Operation("contract-backfill", "reports", 1, (Model("anthropic", "claude-opus-4-1"),), 62_000, 3_500),
    ),
)

STORIES = (GAMES, SUPPORT, ANALYTICS)
