"""Rhasspy's satellites: which sites there are, and a session for each that is woken."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from realtime.errors import InvalidEvent, SettingsError
from realtime.metrics import Metrics
from realtime.session.flood import Bucket, EventBudget
from realtime.session.registry import Ids, Sessions, new_ids
from realtime.session.transport import PeerGone
from realtime.settings import Settings
from realtime.transports.hermes import codec as hermes
from realtime.transports.hermes.announcement import Then
from realtime.transports.hermes.transport import HermesTransport
from realtime.transports.mqtt.attention import Attention
from realtime.transports.mqtt.link import Link, run_session
from realtime.transports.mqtt.membership import Claim, Kind
from realtime.transports.mqtt.transport import OutgoingMessage

SITES_MAX = 1_000
"""Known at a time; beyond, one without a session is forgotten for the next."""
MESSAGES_PER_S, MESSAGES_BURST = 20.0, 100.0
"""Of one site, sound apart; what comes beyond is not read."""
ERRORS_PER_S, ERRORS_BURST = 0.5, 5.0
"""That one site is told; and all together that have none here."""
REJOIN_S = 5.0
"""So long after a lost broker is there again, its satellites are taken to be there too."""
ANY = "any"

logger = logging.getLogger("parlour.mqtt")


Beginning = Callable[[HermesTransport], None]
"""What is done first with a site's session."""


@dataclass(slots=True)
class _Site:
    name: str
    messages: EventBudget
    errors: Bucket
    is_muted: bool = False
    is_taken: bool = False  # another server has the conversation, and speaks to the site
    session: HermesTransport | None = None
    task: asyncio.Task[None] | None = None
    next: "Beginning | None" = None  # came while a session was ending


def sites_of(setting: str) -> frozenset[str] | None:
    """None for all. Raises SettingsError."""
    if setting == ANY:
        return None
    names = frozenset(name.strip() for name in setting.split(",") if name.strip())
    if not names or not all(hermes.is_site(name) for name in names):
        raise SettingsError(
            f"mqtt_hermes is '{setting[:80]}': expected '{ANY}' or the sites' ids, with commas between."
        )
    return names


class HermesSites:
    """A dialect (realtime/transports/mqtt/link.py)."""

    def __init__(self, settings: Settings, sessions: Sessions, metrics: Metrics) -> None:
        """Raises SettingsError."""
        self._settings = settings
        self._served = sites_of(settings.mqtt_hermes)
        self._sessions = sessions
        self._metrics = metrics
        self._now = time.monotonic
        self._sites: dict[str, _Site] = {}
        self._errors = Bucket(self._now(), ERRORS_PER_S, ERRORS_BURST)
        # Of a session that ended with the broker: for everybody else it is open until they are told.
        self._unsaid: dict[str, tuple[OutgoingMessage, ...]] = {}
        self._link: Link | None = None

    @property
    def kind(self) -> Kind:
        return "site"

    @property
    def served(self) -> tuple[str, ...] | None:
        return None if self._served is None else tuple(sorted(self._served))

    @property
    def filters(self) -> tuple[str, ...]:
        return hermes.FILTERS

    def begin(self, link: Link) -> None:
        self._link, self._sites = link, {}
        if self._unsaid:
            link.tasks.create_task(self._say_what_was_unsaid(link), name="unsaid")

    def end_sessions(self, gone: PeerGone) -> list[asyncio.Task[None]]:
        ending = []
        for site in self._sites.values():
            if site.session is not None and site.task is not None:
                site.session.leave(gone)
                ending.append(site.task)
        return ending

    def take(self, topic: str, payload: bytes, is_retained: bool) -> None:
        link = self._link
        if link is None or not link.is_open or is_retained or not topic.startswith("hermes/"):
            return
        try:
            message = hermes.read(topic, payload)
            if message is not None:
                self._deal_with(link, message)
        except InvalidEvent as error:
            self._complain(link, topic, payload, error)
        except Exception:
            # A bug of ours, met by one message: the others go on.
            logger.exception("internal error", extra={"device": "hermes"})

    def _deal_with(self, link: Link, message: hermes.Message | hermes.AudioFrame) -> None:
        """Raises InvalidEvent."""
        site = self._site_of(link, message)
        if site is None:
            return
        if isinstance(message, hermes.ToggleOn | hermes.ToggleOff):
            site.is_muted = isinstance(message, hermes.ToggleOff)  # also where another server serves it
        if site.session is None and not link.cluster.serves("site", site.name):
            return
        if isinstance(message, hermes.AudioFrame):
            if site.session is not None:
                site.session.take_audio(message.riff)
            return
        if not site.messages.spend(self._now()):
            self._metrics.mqtt_dropped.labels("event").inc()
            raise InvalidEvent(
                "too_many_events", f"More than {MESSAGES_PER_S:g} messages a second: some were not read."
            )
        match message:
            case hermes.Detected():
                self._begin(link, site, lambda session: session.wake())
            case hermes.StartSession():
                self._begin(link, site, _beginning(message, site.session))
            case hermes.ContinueSession(text=text, custom=custom) if site.session is not None:
                site.session.set_custom(custom)
                if text:
                    site.session.say(text, "listen")
                else:
                    site.session.wake()
            case hermes.EndSession(text=text, custom=custom) if site.session is not None:
                site.session.set_custom(custom)
                if text:
                    site.session.say(text, "leave")
                else:
                    site.session.leave(PeerGone(1000, "the session was ended"))
            case hermes.Say():
                self._begin(link, site, _saying(message, site))
            case hermes.ToggleOn() | hermes.ToggleOff():
                if site.session is not None:
                    site.session.mute(site.is_muted)
            case hermes.PlayFinished(piece=piece):
                if site.session is not None:
                    site.session.finished(piece)

    def _site_of(self, link: Link, message: hermes.Message | hermes.AudioFrame) -> _Site | None:
        """None for one that somebody else serves, or from which nothing is awaited; for a session's message,
        where that session is. Raises InvalidEvent."""
        if isinstance(message, hermes.ContinueSession | hermes.EndSession):
            for site in self._sites.values():
                session = site.session
                # With a text, only while it is open: nobody awaits a voice from one that has ended.
                if session is not None and session.session == message.session:
                    if message.text and (session.is_over or not session.is_open):
                        break
                    return site
            if message.session in self._sessions_elsewhere(link):
                return None
            raise InvalidEvent("no_session", "There is no session with this sessionId.", "sessionId")
        if not self._serves(message.site):
            return None
        known = self._sites.get(message.site)
        if known is None and isinstance(message, hermes.AudioFrame | hermes.PlayFinished):
            return None  # some satellites send all the time
        return known or self._new_site(message.site)

    def _sessions_elsewhere(self, link: Link) -> set[str]:
        held = [hermes.read_held(one.state) for one in link.cluster.membership.held() if one.kind == "site"]
        return {one.sessionId for one in held if one is not None}

    def _serves(self, name: str) -> bool:
        return self._served is None or name in self._served

    def _new_site(self, name: str) -> _Site:
        """Raises InvalidEvent."""
        if len(self._sites) >= SITES_MAX:
            spare = next((one for one in self._sites.values() if one.session is None), None)
            if spare is None:
                raise InvalidEvent("server_full", f"{SITES_MAX} sites are served, and no more.")
            del self._sites[spare.name]
        now = self._now()
        messages = EventBudget(now, MESSAGES_PER_S, MESSAGES_BURST)
        site = _Site(name, messages, Bucket(now, ERRORS_PER_S, ERRORS_BURST))
        self._sites[name] = site
        return site

    def _complain(self, link: Link, topic: str, payload: bytes, error: InvalidEvent) -> None:
        """To the site that the message is of."""
        service, name = hermes.sender_of(topic, payload)
        site = self._sites.get(name)
        if not self._serves(name) or not (
            (site is not None and site.session is not None) or link.cluster.serves("site", name)
        ):
            return  # whoever does will say so
        if not (site.errors if site is not None else self._errors).spend(self._now(), 1.0):
            self._metrics.mqtt_dropped.labels("error").inc()
            return
        session = site.session.session if site is not None and site.session is not None else None
        link.notice(OutgoingMessage(*hermes.error(service, name, session, error.message, topic)))

    # A session ----------------------------------------------------------------------------

    def _begin(self, link: Link, site: _Site, beginning: Beginning) -> None:
        """In the site's session, or in a new one."""
        if site.session is not None and site.session.is_over:
            site.next = beginning
            return
        if site.session is None:
            ids, settings, now = new_ids(), self._settings, self._now()
            attention = Attention(settings.mqtt_follow_up_s, settings.mqtt_remembered_s, now)
            attention.is_muted = site.is_muted
            first = self._unsaid.pop(site.name, ())
            site.session = transport = HermesTransport(
                site.name,
                ids.session_id,
                link.post,
                attention,
                first=first,
                on_session=lambda: link.cluster.claim("site", site.name, transport.held),
            )
            link.cluster.claim("site", site.name)
            site.task = link.tasks.create_task(
                self._converse(link, site, site.session, ids), name=f"site {site.name}"
            )
        beginning(site.session)

    async def _converse(self, link: Link, site: _Site, transport: HermesTransport, ids: Ids) -> None:
        try:
            peer = f"hermes:{site.name}"
            owner = peer if self._settings.key_set else ""
            full = await run_session(self._sessions, transport, ids, peer, owner)
            if full is not None:
                link.notice(OutgoingMessage(*hermes.error("dialogueManager", site.name, None, full)))
        finally:
            last = transport.last_messages()
            if transport.is_stopped_by_server:
                with suppress(PeerGone):
                    await link.cluster.leave()
            if not site.is_taken:
                unsaid = await link.post_last(*last)
                if unsaid:
                    self._unsaid[site.name] = unsaid
            site.session = site.task = None
            site.is_taken = False
            link.cluster.release("site", site.name)
        beginning, site.next = site.next, None
        if beginning is not None and link.is_open:
            self._begin(link, site, beginning)

    # Other servers ------------------------------------------------------------------------

    def membership_changed(self) -> None:
        """A site waits for nothing before its wake word."""

    def claimed_elsewhere(self, claim: Claim) -> None:
        site, link = self._sites.get(claim.name), self._link
        if site is None or site.session is None or link is None or link.cluster.serves("site", claim.name):
            return
        # Both began it while one did not know of the other: the first one goes on.
        site.is_taken, site.next = True, None
        site.session.leave(PeerGone(1000, "another server serves the site"))

    def orphaned(self, claim: Claim) -> None:
        link, held = self._link, hermes.read_held(claim.state)
        if link is None or held is None or not hermes.is_site(claim.name):
            return
        link.notice(OutgoingMessage(*hermes.listening(claim.name, held.sessionId, False)))
        ended = hermes.session_ended(claim.name, held.sessionId, held.customData, "error")
        link.notice(OutgoingMessage(*ended))

    def tick(self) -> None:
        """What it holds ends with its sessions."""

    async def _say_what_was_unsaid(self, link: Link) -> None:
        """Of the sites that do not begin anew before."""
        await asyncio.sleep(REJOIN_S)
        for name in list(self._unsaid):
            unsaid = await link.post_last(*self._unsaid.pop(name, ()))
            if unsaid:
                self._unsaid[name] = unsaid
                return


def _saying(message: hermes.Say, site: _Site) -> Beginning:
    """In the session that is open, whose turn it is then the user's; else in one of its own."""
    finished = hermes.say_finished(site.name, message.session, message.id)
    is_open = site.session is not None and site.session.is_open and not site.session.is_over
    then: Then = "listen" if is_open else "sleep"
    if not message.text:
        raise InvalidEvent("invalid_value", "There is no text to be spoken.", "text")
    return lambda begun: begun.say(message.text, then, finished=finished)


def _beginning(message: hermes.StartSession, session: HermesTransport | None) -> Beginning:
    """session: the one that there is. Raises InvalidEvent."""
    text = message.init.text if message.init is not None else None
    is_notification = message.init is not None and message.init.type == "notification"
    custom = message.custom.copy()
    if not is_notification:
        return lambda begun: begun.say(text, "listen", custom) if text else begun.wake(custom)
    if not text:
        raise InvalidEvent("invalid_value", "A notification needs a text.", "init.text")
    if session is not None and session.is_open and not session.is_over:
        raise InvalidEvent("site_busy", "A session is open at this site: notifications are not queued.")
    return lambda begun: begun.say(text, "sleep", custom)
