"""The words that `data` makes the demo's conference of: names, companies, subjects and sentences.

Names are common ones from many countries; a likeness to anyone's full name is chance. `{thing}` and `{area}`
in sentences stand for what a session is about and for its topic.
"""

from __future__ import annotations

from typing import NamedTuple


class Subject(NamedTuple):
    """A topic with five things that sessions are about; each reads well after "about"."""

    name: str
    description: str
    things: tuple[str, str, str, str, str]


FIRST_NAMES = (
    "Amara", "Bruno", "Chiara", "Dmitri", "Elif", "Farid", "Greta", "Hiro", "Ines", "Jonas", "Keiko",
    "Liam", "Mireille", "Nikhil", "Oksana", "Pedro", "Quentin", "Rosa", "Samir", "Tove", "Uma", "Viktor",
    "Wanda", "Ximena", "Yusuf", "Zofia", "Anders", "Beatriz", "Cedric", "Dalia", "Emeka", "Fiona", "Goran",
    "Helga", "Ibrahim", "Jasmin", "Kofi", "Leila", "Marek", "Nadia",
)  # fmt: skip

LAST_NAMES = (
    "Abara", "Bergstrom", "Castellan", "Dobrev", "Eriksen", "Fontaine", "Gallo", "Haddad", "Ivanova",
    "Jansen", "Kowalczyk", "Lindqvist", "Moreau", "Nakagawa", "Okafor", "Petrov", "Quiroga", "Rahimi",
    "Santoro", "Tanaka", "Ueda", "Vasquez", "Weiss", "Xanthos", "Yilmaz", "Zielinski", "Almeida", "Bianchi",
    "Chaudhry", "Dupont", "Engel", "Fischer", "Gomes", "Hashimi", "Iyer", "Jovanovic", "Kessler", "Laurent",
    "Mbeki", "Novak",
)  # fmt: skip

ROLES = (
    "Site reliability engineer", "Data engineer", "Developer advocate", "Security engineer",
    "Software architect", "Product engineer", "Research scientist", "Platform engineer",
    "Engineering manager", "Compiler engineer", "Accessibility specialist", "Machine learning engineer",
)  # fmt: skip

COMPANIES = (
    "Tidewater Labs", "Larkfield Bank", "Northlight Health", "Pinecrest Rail", "Quillworks",
    "Saltmarsh Energy", "Copperleaf Studio", "Hollow Oak Games", "Brightacre Farms", "Meridian Post",
    "Stonebridge Insurance", "Cloudberry Foods", "Arcwell Robotics", "Fernhill University", "Lowtide Maps",
    "Redkite Logistics", "Millrace Software",
)  # fmt: skip

CITIES = (
    "Lisbon", "Tallinn", "Nairobi", "Osaka", "Ghent", "Montevideo", "Krakow", "Bergen", "Accra", "Valencia",
    "Izmir", "Adelaide", "Halifax", "Pune",
)  # fmt: skip

BIOGRAPHIES = (
    "{first} works as {a_role} at {company} in {city} and has kept systems running for {years} years.",
    "After {years} years in software, {first} joined {company}, where a small team leans on this {role}.",
    "{first} is {a_role} from {city}. The pager of {company} has been quiet for {years} years.",
    "{company} hired {first} as {a_role} {years} years ago; the first thing to go was the nightly restart.",
    "{first} came to {city} for a summer, stayed {years} years, and is now {a_role} at {company}.",
)

SUBJECTS = (
    Subject("API design", "Interfaces that people and programs can use without asking.",
            ("pagination", "error messages", "API versioning", "idempotent writes", "public contracts")),
    Subject("API gateways", "The front door of many services: routing, limits and identity in one place.",
            ("rate limits", "request routing", "API keys", "gateway plugins", "edge caching")),
    Subject("AI assistants", "Language models that act for a person through tools.",
            ("tool calling", "chat plugins", "prompt budgets", "assistants in support desks",
             "agent permissions")),
    Subject("Machine learning", "Models from data, and the work of keeping them honest.",
            ("feature stores", "model drift", "small models", "training data reviews", "offline evaluation")),
    Subject("Data pipelines", "Moving data from where it arises to where it is asked for.",
            ("late events", "schema changes", "backfills", "streaming joins", "data contracts")),
    Subject("Databases", "Storing things so that they can be found again.",
            ("index design", "online migrations", "write-ahead logs", "query plans", "read replicas")),
    Subject("Observability", "Knowing what a system does from what it tells.",
            ("distributed traces", "useful alerts", "log volume", "service level objectives",
             "continuous profiling")),
    Subject("Reliability", "Systems that keep their promises on bad days.",
            ("graceful shutdown", "retry storms", "load shedding", "incident reviews", "failover drills")),
    Subject("Security", "Keeping out what should not come in, and keeping in what should not leak.",
            ("threat modelling", "secret rotation", "dependency audits", "sandboxed plugins",
             "least privilege")),
    Subject("Identity", "Who is calling, and what they may do.",
            ("passkeys", "OAuth consent", "session lifetimes", "service accounts", "step-up sign-in")),
    Subject("Web performance", "Pages that are there before one looks.",
            ("image budgets", "font loading", "server rendering", "cache headers", "slow networks")),
    Subject("Accessibility", "Software for every hand, eye and ear.",
            ("keyboard paths", "screen reader tests", "colour contrast", "plain language", "captions")),
    Subject("Frontend", "What people see and touch.",
            ("form design", "design tokens", "state machines in interfaces", "offline apps",
             "component tests")),
    Subject("Mobile", "Software in the pocket, on a train, at two per cent battery.",
            ("background sync", "app size", "push messages", "flaky connections", "crash reports")),
    Subject("Rust", "A language for fast code that does not crash.",
            ("ownership in practice", "async runtimes", "zero-copy parsing", "unsafe reviews",
             "compile times")),
    Subject("Python", "A language for getting things said.",
            ("type annotations", "packaging", "native extensions", "event loops", "test fixtures")),
    Subject("Compilers", "Programs about programs.",
            ("incremental builds", "error recovery in parsers", "register allocation",
             "language servers", "macros")),
    Subject("Networking", "Packets, and what becomes of them.",
            ("HTTP/3", "connection pools", "DNS surprises", "congestion control", "service meshes")),
    Subject("Testing", "Finding out before others do.",
            ("property tests", "flaky tests", "contract tests", "fuzzing", "test data")),
    Subject("Developer experience", "The tools behind the tools.",
            ("build caches", "command lines", "onboarding", "code review", "documentation")),
    Subject("Cloud costs", "What it costs to run, and for whom.",
            ("idle capacity", "egress charges", "storage tiers", "cost dashboards", "right-sizing")),
    Subject("Embedded", "Computers that nobody calls a computer.",
            ("over-the-air updates", "sensor drivers", "power budgets", "real-time scheduling",
             "field debugging")),
    Subject("Team practice", "How people who build things work with each other.",
            ("on-call rotations", "design documents", "remote pairing", "estimates", "handovers")),
    Subject("Sustainability", "Software that lasts and spends little.",
            ("energy measurements", "long-lived hardware", "carbon-aware jobs", "quiet defaults",
             "lean data")),
)  # fmt: skip

TITLES = (
    "{thing} without regrets",
    "What ten incidents taught us about {thing}",
    "The quiet art of {thing}",
    "{thing} for a team of four",
    "How we stopped fearing {thing}",
    "{thing}: the parts nobody documents",
    "A field guide to {thing}",
    "Rethinking {thing} from first principles",
    "{thing} at a thousand requests a second",
    "Two years of {thing}, measured",
    "{thing} that your successor will thank you for",
)

OPENINGS = (
    "Most teams meet {thing} on a bad day.",
    "We thought that we understood {thing}.",
    "There is a short way and a long way to {thing}, and both look alike at the start.",
    "Everyone has an opinion about {thing}; few have numbers.",
    "This session is about {thing}, told through one system that we still run.",
)

MIDDLES = (
    "We show the design that failed, the one that replaced it, and the graph in between.",
    "With live examples we walk from the naive answer to one that has survived two audits.",
    "You will see three approaches side by side and the traffic that broke two of them.",
    "A small change in how we treat {area} removed half of our tickets; we explain which and why.",
    "The talk takes one real request and follows it until {thing} is no longer a mystery.",
    "We open the code, count the mistakes, and mend the worst of them on stage.",
)

CLOSINGS = (
    "You leave with a checklist for Monday.",
    "No product is sold in this room.",
    "Bring your own example; there is time for questions.",
    "The slides and the code are open.",
    "Some experience with {area} helps, but none is needed.",
    "At the end you can tell whether you need {thing} at all.",
    "We close with what we would do otherwise today.",
)
