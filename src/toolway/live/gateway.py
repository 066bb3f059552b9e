"""The live gateway: the engine and a store kept at the same revision, and the one way to change both.

A write is compiled, built by the engine, stored, and swapped in, under one lock. Writes of other gateways on
the same store are followed. While the store is away the gateway serves what it has.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from typing import TYPE_CHECKING

from toolway import _engine
from toolway.address_lists import AddressLists
from toolway.config import PluginSchemas
from toolway.config.anonymous import warnings_of
from toolway.config.kinds import KINDS
from toolway.config.models import GatewayTls
from toolway.config.source import pointer_to
from toolway.live.affected import affected
from toolway.live.compiling import Compiler, Setting
from toolway.live.conflict import Conflict
from toolway.live.documents import Documents
from toolway.live.loading import is_needed, load
from toolway.live.state import State
from toolway.live.trying import SetAside, Tried, attempt
from toolway.problem import ConfigurationError
from toolway.running import DRAIN_SECONDS, Running, cores, give_back_memory, warn_of_few_files
from toolway.secret_managers import ManagedSecrets
from toolway.store import Change, StaleBase, StoreError, StoreUnavailable, UnknownRevision

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from toolway.apps.model import AppView
    from toolway.config.models import GatewaySettings
    from toolway.live.loading import Progress
    from toolway.live.ownership import Entry
    from toolway.problem import Problem
    from toolway.store import Key, Store

logger = logging.getLogger("toolway.live")

_ATTEMPTS = 5
"""How often a write is made anew on what another gateway wrote in between."""
_WAIT_SECONDS = 1.0
_OWN_VARIABLES = "TOOLWAY_"


class LiveGateway(Running):
    """A gateway on a store. Start it once; every method may then be called from any thread."""

    def __init__(
        self,
        store: Store,
        settings: GatewaySettings,
        *,
        folder: Path,
        connect_to: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        managed: ManagedSecrets | None = None,
        drain_seconds: float = DRAIN_SECONDS,
    ) -> None:
        """Nothing is read yet. Resources refer to files in `folder`: `secrets/` and `logos/`; to variables of
        `environment` (the process's own by default), but for Toolway's own; and to what `managed` reads.
        """
        super().__init__(drain_seconds)
        self._store = store
        self.plugin_schemas = PluginSchemas(json.loads(_engine.plugin_schemas()))
        """As the engine tells them: name -> {"priority", "schema"}."""
        given = os.environ if environment is None else environment
        allowed = {name: value for name, value in given.items() if not name.startswith(_OWN_VARIABLES)}
        self._managed = managed or ManagedSecrets()
        self._lists = AddressLists(folder=folder / "address_lists")
        self._documents = Documents(folder / "logos")
        self._compiler = Compiler(
            Setting(
                _listening(settings),
                self.plugin_schemas,
                folder / "secrets",
                allowed,
                self._managed,
                self._lists,
                dict(connect_to or {}),
                cores(),
            ),
            self._documents,
        )
        self._lock = threading.Lock()
        self._revision = 0
        self._made: dict[Key, frozenset[Entry]] = {}
        self._aside: set[Key] = set()
        self._main_app: str | None = None
        self._stopping = threading.Event()
        self._follower: threading.Thread | None = None

    @property
    def revision(self) -> int:
        """The store's revision that is in force."""
        return self._revision

    def start(self, progress: Progress | None = None, *, beside: bool = False) -> None:
        """Loads the store, listens, and follows the store from now on.

        `beside` shares addresses with a gateway that has them, to take over from it. Raises
        ConfigurationError, StoreError, and OSError where an address cannot be had; nothing is served then.
        """
        with self._lock:
            self._load(progress)
        self._built.start(beside=beside)
        warn_of_few_files()
        self._managed.start(self.reload)
        self._lists.start(self.reload, lambda: self._tell_lists(self._lists))
        self._follower = threading.Thread(target=self._follow, name="toolway-live", daemon=True)
        self._follower.start()

    def write(
        self,
        changes: Iterable[Change],
        *,
        actor: str,
        note: str = "",
        expect: Mapping[Key, int] | None = None,
        force: bool = False,
    ) -> int:
        """Makes all changes live and stored, or none: the revision that they are.

        `expect` says which modified index resources must have, 0 for none that is there. `force` keeps those
        that refer to what is deleted: routes then refuse every request. Raises ConfigurationError with
        pointers `/KIND/ID...`, Conflict, and StoreUnavailable.
        """
        made = self._whole(changes)
        with self._lock:
            for _ in range(_ATTEMPTS):
                self._catch_up()
                self._meet(expect or {})
                tried, main_app = self._try(made, force=force)
                try:
                    revision = self._store.write(made, base=self._revision, actor=actor, note=note)
                except StaleBase:
                    continue
                self._commit(tried, main_app, revision, made)
                self._warn(made)
                return revision
        raise Conflict(())

    def check(self, changes: Iterable[Change], *, force: bool = False) -> None:
        """Whether `write` could make these changes; nothing is changed. Raises as it does, but for
        Conflict.
        """
        made = self._whole(changes)
        with self._lock:
            self._catch_up()
            self._try(made, force=force)

    def view(self, app: str) -> AppView | None:
        """An app as it is shown to clients; none where there is none, or where it was set aside."""
        key = "apps", app
        state = State(self._store)
        if key in self._aside or state.get(*key) is None:
            return None
        return next(iter(self._compiler.part(state, [key]).views), None)

    def reload(self) -> bool:
        """Compiles everything anew, so that changed secrets and logos are read. Whether it is in force; if
        not, the problems were logged.
        """
        with self._lock:
            try:
                self._load(None)
            except (ConfigurationError, StoreError) as error:
                logger.error("the configuration was not reloaded; what was goes on: %s", error)  # noqa: TRY400
                return False
        logger.info("configuration reloaded")
        return True

    def forget(self) -> None:
        """Has address lists looked at again."""
        self._lists.look_again()

    def stop(self, timeout: float | None = None) -> bool:
        """Stops accepting and following, and waits at most `timeout` seconds for exchanges to end. Whether
        all did.
        """
        self._stopping.set()
        ended = super().stop(timeout)
        if self._follower is not None:
            self._follower.join()
            self._follower = None
        self._managed.close()
        self._lists.close()
        return ended

    def _whole(self, changes: Iterable[Change]) -> list[Change]:
        """The changes as they are stored: values completed, with references, and with fetched documents."""
        whole = []
        for change in changes:
            if change.kind not in KINDS:
                whole.append(change)
                continue
            kind = KINDS[change.kind]
            value = None if change.value is None else kind.completed(change.value)
            references = () if value is None else tuple(kind.references(change.id, value))
            whole.append(Change(change.kind, change.id, value, references))
        return whole + self._documents.fetched(whole, State(self._store))

    def _meet(self, expect: Mapping[Key, int]) -> None:
        unmet = []
        for key, index in expect.items():
            resource = self._store.get(*key)
            if (resource.modified_index if resource else 0) != index:
                unmet.append(key)
        if unmet:
            raise Conflict(unmet)

    def _try(self, changes: Sequence[Change], *, force: bool) -> tuple[Tried, str | None]:
        before, after = State(self._store), State(self._store, changes)
        changed = _of_kinds(changes)

        def stays(key: Key) -> bool:
            return before.get(*key) is not None and after.get(*key) is not None

        def is_wanted(key: Key) -> bool:
            return key in changed or is_needed(key) or not (force or key in self._aside)

        return self._tried(after, changed, stays, is_wanted)

    def _tried(
        self,
        state: State,
        changed: Collection[Key],
        stays: Callable[[Key], bool],
        is_wanted: Callable[[Key], bool],
    ) -> tuple[Tried, str | None]:
        main_app = state.main_app() if any(kind == "apps" for kind, _ in changed) else self._main_app
        mains = (self._main_app, main_app)
        keys = affected(state, changed, stays, mains if mains[0] != mains[1] else ())
        return attempt(self._built, self._compiler, state, keys, self._made, is_wanted), main_app

    def _commit(self, tried: Tried, main_app: str | None, revision: int, changes: Iterable[Change]) -> None:
        self._built.commit(tried.prepared)
        self._revision = revision
        self._main_app = main_app
        for key in tried.keys:
            self._made.pop(key, None)
        self._made |= tried.made
        # What was set aside before and was tried again is well now, unless it was set aside again.
        self._aside -= {*tried.keys, *((change.kind, change.id) for change in changes)}
        self._aside |= tried.aside.keys
        if any(kind == "secrets" for kind, _ in tried.keys):
            self._compiler.forget_managers(State(self._store))
        _tell(tried.aside.problems)

    def _warn(self, changes: Iterable[Change]) -> None:
        """Tells what works otherwise than its writer may think."""
        consumers = State(self._store)
        for change in changes:
            at = pointer_to(change.kind, change.id)
            for warning in warnings_of(
                change.value or {}, at, lambda name: consumers.get("consumers", name) is not None
            ):
                logger.warning("%s", warning)

    def _load(self, progress: Progress | None) -> None:
        revision = self._store.revision()
        aside = SetAside()
        while True:
            loaded = load(self._compiler, self._store, aside, progress)
            try:
                if self._engine is None:
                    self._engine = _engine.Engine(loaded.text())
                    self._started_with = dict(loaded.gateway)
                else:
                    self._engine.apply(loaded.text())
            except _engine.EngineError as error:
                refused = ConfigurationError([loaded.problem(*problem) for problem in error.problems])
                if not aside.take(refused.problems, is_needed):
                    raise refused from error
            else:
                break
        self._made = dict(loaded.made)
        self._aside = aside.keys
        self._main_app = State(self._store).main_app()
        self._revision = revision
        self._compiler.forget_managers(State(self._store))
        _tell(aside.problems)
        del loaded
        give_back_memory()

    def _catch_up(self) -> None:
        """Makes live what other gateways have written."""
        base, revision = self._revision, self._store.revision()
        if revision == base:
            return
        try:
            changes = self._store.changes_since(base)
        except UnknownRevision as error:
            logger.warning(
                "what was written since revision %d cannot be told: %s; all is loaded", base, error
            )
            self._load(None)
            return
        changed = _of_kinds(changes)

        def stays(key: Key) -> bool:
            resource = self._store.get(*key)
            return resource is not None and resource.created_index <= base

        try:
            tried, main_app = self._tried(State(self._store), changed, stays, is_needed)
        except ConfigurationError as error:
            logger.error("global rules were changed elsewhere and cannot be had here; the old ones go on")  # noqa: TRY400
            _tell(error.problems)
            others = {key for key in changed if not is_needed(key)}
            tried, main_app = self._tried(State(self._store), others, stays, lambda _key: False)
        self._commit(tried, main_app, revision, changes)
        logger.info("revision %d is live", revision)

    def _follow(self) -> None:
        is_away = False
        while not self._stopping.is_set():
            try:
                latest = self._store.wait_beyond(self._revision, _WAIT_SECONDS)
                with self._lock:
                    # Of a write of this gateway's own nothing is left to do, once it has let go of the lock.
                    if latest > self._revision:
                        self._catch_up()
                is_away = False
            except StoreUnavailable as error:
                if not is_away:
                    logger.warning("the store is away; what is live goes on: %s", error)
                is_away = True
                self._stopping.wait(_WAIT_SECONDS)
            except Exception:
                # The edge of this thread: whatever went wrong, the next write of others must still be seen.
                logger.exception("following the store failed; it goes on")
                self._stopping.wait(_WAIT_SECONDS)


def _listening(settings: GatewaySettings) -> GatewaySettings:
    """The settings with listeners for TLS, since a certificate may come at any time."""
    if settings.tls is not None or "tls" in settings.model_fields_set:
        return settings
    return settings.model_copy(update={"tls": GatewayTls()})


def _of_kinds(changes: Iterable[Change]) -> set[Key]:
    """What was changed, but for what others keep in the store and the engine never sees (`_expiries`)."""
    return {(change.kind, change.id) for change in changes if not change.kind.startswith("_")}


def _tell(problems: Iterable[Problem]) -> None:
    for problem in problems:
        logger.error("set aside: %s", problem)
