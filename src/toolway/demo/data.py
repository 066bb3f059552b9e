"""The made-up conference of the demo: speakers, sessions and topics, the same in every run.

Rows come from the word lists in `words` by index arithmetic alone, so nothing is random and no two speakers
share a name. Steps through the lists are coprime with their lengths, which spreads the words. The API in
`conference` reads the finished tables and never changes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from toolway.demo import words

SPEAKERS = 120
SESSIONS = 240
ROOMS = ("Aula", "Birch", "Cedar", "Dune", "Ember", "Fjord", "Grove", "Harbour", "Island", "Juniper")
STARTS = ("09:00", "10:00", "11:00", "12:00", "14:00", "15:00", "16:00", "17:00")
DAYS = ("2027-05-18", "2027-05-19", "2027-05-20")
LEVELS = ("introduction", "practitioner", "expert")


@dataclass(frozen=True, slots=True)
class Topic:
    """A subject area. Ids count from 1."""

    id: int
    name: str
    description: str

    def row(self) -> dict[str, Any]:
        """The Topic of the API's document."""
        return {"id": self.id, "name": self.name, "description": self.description}


@dataclass(frozen=True, slots=True)
class Speaker:
    """A person who speaks at the conference. Ids count from 1."""

    id: int
    name: str
    role: str
    company: str
    city: str
    bio: str

    def reference(self) -> dict[str, Any]:
        """Enough to name the speaker in another row and to ask for more."""
        return {"id": self.id, "name": self.name}

    def row(self) -> dict[str, Any]:
        """The Speaker of the API's document."""
        return {
            "id": self.id,
            "name": self.name,
            "role": self.role,
            "company": self.company,
            "city": self.city,
            "bio": self.bio,
        }


@dataclass(frozen=True, slots=True)
class Session:
    """A talk of 50 minutes by one speaker or two. Ids count from 1."""

    id: int
    title: str
    abstract: str
    level: str
    room: str
    starts_at: str
    """Local time of the venue without an offset, `2027-05-18T09:00`."""
    speakers: tuple[Speaker, ...]
    topics: tuple[Topic, ...]

    def row(self) -> dict[str, Any]:
        """The Session of the API's document."""
        return {
            "id": self.id,
            "title": self.title,
            "abstract": self.abstract,
            "level": self.level,
            "room": self.room,
            "starts_at": self.starts_at,
            "speakers": [speaker.reference() for speaker in self.speakers],
            "topics": [topic.name for topic in self.topics],
        }


@dataclass(frozen=True, slots=True)
class Conference:
    """All tables, each by id."""

    speakers: dict[int, Speaker]
    sessions: dict[int, Session]
    topics: dict[int, Topic]

    def sessions_of(self, speaker: Speaker) -> list[Session]:
        """The sessions that `speaker` holds, in the order of the programme."""
        return [session for session in self.sessions.values() if speaker in session.speakers]

    def topics_of(self, speaker: Speaker) -> list[Topic]:
        """What `speaker` talks about: the topics of all their sessions, by id, each once."""
        spoken = {topic.id for session in self.sessions_of(speaker) for topic in session.topics}
        return [self.topics[number] for number in sorted(spoken)]


def conference() -> Conference:
    """Makes the tables: 24 topics, 120 speakers, 240 sessions over three days in ten rooms."""
    topics = {
        number: Topic(number, subject.name, subject.description)
        for number, subject in enumerate(words.SUBJECTS, start=1)
    }
    speakers = {index + 1: _speaker(index) for index in range(SPEAKERS)}
    sessions = {index + 1: _session(index, speakers, topics) for index in range(SESSIONS)}
    return Conference(speakers=speakers, sessions=sessions, topics=topics)


def _speaker(index: int) -> Speaker:
    # With q = index // 40 and r = index % 40 the last name is (7r + q) % 40: for one r, another q is another
    # name.
    first = words.FIRST_NAMES[index % 40]
    last = words.LAST_NAMES[(index * 7 + index // 40) % 40]
    role = words.ROLES[index * 5 % len(words.ROLES)]
    company = words.COMPANIES[index * 11 % len(words.COMPANIES)]
    city = words.CITIES[index * 3 % len(words.CITIES)]
    years = 3 + index * 13 % 22
    bio = words.BIOGRAPHIES[index % len(words.BIOGRAPHIES)].format(
        first=first,
        role=role.lower(),
        a_role=_with_article(role.lower()),
        company=company,
        city=city,
        years=years,
    )
    return Speaker(index + 1, f"{first} {last}", role, company, city, bio)


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _session(index: int, speakers: dict[int, Speaker], topics: dict[int, Topic]) -> Session:
    half, within = divmod(index, SESSIONS // 2)
    area = within % len(words.SUBJECTS)
    subject = words.SUBJECTS[area]
    thing = subject.things[within // len(words.SUBJECTS)]
    form = words.TITLES[(within * 7 + half * 5) % len(words.TITLES)]
    abstract = " ".join(
        sentences[(within * step + half) % len(sentences)]
        for sentences, step in ((words.OPENINGS, 3), (words.MIDDLES, 5), (words.CLOSINGS, 4))
    )
    slot, room = divmod(index, len(ROOMS))
    day, start = divmod(slot, len(STARTS))
    numbers = [(area + 5 * step) % len(topics) + 1 for step in range(1 + index % 3)]
    return Session(
        id=index + 1,
        title=form.format(thing=thing[:1].upper() + thing[1:] if form.startswith("{thing}") else thing),
        abstract=abstract.format(thing=thing, area=subject.name),
        level=LEVELS[index * 5 // 2 % len(LEVELS)],
        room=ROOMS[room],
        starts_at=f"{DAYS[day]}T{STARTS[start]}",
        speakers=tuple(speakers[number] for number in _speaker_numbers(half, within)),
        topics=tuple(topics[number] for number in numbers),
    )


def _speaker_numbers(half: int, within: int) -> list[int]:
    # The second half walks the speakers in steps of 7, so that nobody gives both talks on the same thing.
    main = (within if half == 0 else within * 7 + 13) % SPEAKERS + 1
    if within % 4:
        return [main]
    return [main, (main + 58) % SPEAKERS + 1]
