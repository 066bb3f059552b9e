"""The made-up conference is whole: unique, consistent and the same in every run."""

from __future__ import annotations

from toolway.demo.data import SESSIONS, SPEAKERS, conference


def test_no_two_speakers_share_a_name() -> None:
    assert len({speaker.name for speaker in conference().speakers.values()}) == SPEAKERS


def test_no_two_sessions_share_a_title() -> None:
    assert len({session.title for session in conference().sessions.values()}) == SESSIONS


def test_every_speaker_speaks_and_never_in_two_rooms_at_once() -> None:
    tables = conference()
    for speaker in tables.speakers.values():
        starts = [session.starts_at for session in tables.sessions_of(speaker)]
        assert len(starts) >= 2
        assert len(starts) == len(set(starts))


def test_no_room_has_two_sessions_at_once() -> None:
    places = [(session.room, session.starts_at) for session in conference().sessions.values()]
    assert len(places) == len(set(places))


def test_every_topic_has_sessions() -> None:
    tables = conference()
    spoken = {topic.id for session in tables.sessions.values() for topic in session.topics}
    assert spoken == set(tables.topics)


def test_no_text_has_an_unfilled_place_or_a_wrong_article() -> None:
    tables = conference()
    texts = [speaker.bio for speaker in tables.speakers.values()]
    texts += [f"{session.title} {session.abstract}" for session in tables.sessions.values()]
    for text in texts:
        assert "{" not in text
        assert not any(f" a {vowel}" in text for vowel in "aeio")


def test_two_runs_make_the_same_tables() -> None:
    assert conference() == conference()
