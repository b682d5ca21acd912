"""What becomes of messages: delivered, opened by people and by machines, clicked, bought from, left because of."""

import json
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from orchestration.sandbox import shop
from orchestration.sandbox.chance import Chance, Floats
from orchestration.sandbox.crowd import WINDOW, Crowd
from orchestration.sandbox.eventlog import EventLog
from orchestration.sandbox.familiarity import Familiarity
from orchestration.sandbox.instants import DAY, HOUR, MINUTE, SECOND, Instants
from orchestration.sandbox.outbox import Messages
from orchestration.sandbox.preset import Preset
from orchestration.sandbox.response import Response

_PERSON = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Safari/605.1.15"
_PREFETCH = "Mozilla/5.0 (mail privacy proxy; prefetch)"
_SCANNER = "LinkSentry/2.3 (mail security scanner; bot)"
_UNLABELLED = 0.2  # share of events about which the provider does not say whether a machine caused them
_SLOWEST_CLICK, _SLOWEST_ORDER = 46 * HOUR, 5 * DAY
_URL = "https://shop.example.test/"
Mask = npt.NDArray[np.bool_]


class Mailing:
    """Sends the messages of one day and experiment to the crowd and logs what follows."""

    def __init__(
        self, preset: Preset, chance: Chance, response: Response, familiarity: Familiarity, log: EventLog
    ) -> None:
        self._preset, self._chance, self._response = preset, chance, response
        self._familiarity, self._log = familiarity, log

    def deliver(self, crowd: Crowd, messages: Messages) -> Crowd:
        """Adds the events of the messages and returns the crowd without those who had enough.

        Args:
            messages: Of one experiment and one day.
        """
        position = {user: number for number, user in enumerate(crowd.ids.tolist())}
        index = np.fromiter((position.get(user, -1) for user in messages.user_id), dtype=np.int64)
        known = index >= 0
        self._bounce(messages.take(~known), "invalid")
        messages, who = messages.take(known), index[known]
        barred = ~crowd.consent[who] | (crowd.left_at[who] <= messages.at)
        self._bounce(messages.take(barred), "unsubscribed")
        messages, who = messages.take(~barred), who[~barred]
        mail, chance = self._preset.mail, self._chance
        dead = chance.happens(crowd.keys[who], "dead address", mail.bounces)
        full = ~dead & chance.happens(messages.keys, "mailbox full", mail.bounces)
        self._bounce(messages.take(dead), "bounced")
        self._bounce(messages.take(full), "blocked")
        sent, who = messages.take(~dead & ~full), who[~dead & ~full]
        if not len(sent):
            return crowd
        at = sent.at + ((2 + 60 * chance.uniform(sent.keys, "transit")) * SECOND).astype(np.int64)
        self._log.mail("Email Delivered", sent, at, self._properties(sent))
        self._machines(crowd, sent, who, at)
        clicked = chance.happens(sent.keys, "clicks", self._rates(crowd, sent, who))
        self._open(sent, at, clicked)
        self._click(crowd, sent.take(clicked), who[clicked], at[clicked])
        return self._annoy(crowd, sent, who, at)

    def _rates(self, crowd: Crowd, sent: Messages, who: npt.NDArray[np.int64]) -> Floats:
        names, people = list(self._preset.segments), np.bincount(crowd.segment, minlength=len(self._preset.segments))
        rates = np.zeros(len(sent))
        experiment = str(sent.experiment_id[0])
        texts, numbers = np.unique(sent.subject.astype(str), return_inverse=True)
        for number, text in enumerate(texts.tolist()):
            for segment, name in enumerate(names):
                here = (numbers == number) & (crowd.segment[who] == segment)
                if here.any():
                    seen = self._familiarity.meet(experiment, name, text, int(here.sum()), int(people[segment]))
                    rates[here] = self._response.rate(text, name, send=experiment, seen=seen)
        return np.minimum(0.95, rates * crowd.propensity(self._preset.noise.person)[who])

    def _bounce(self, messages: Messages, reason: str) -> None:
        at = messages.at + ((3 + 90 * self._chance.uniform(messages.keys, "transit")) * SECOND).astype(np.int64)
        self._log.mail("Email Bounced", messages, at, self._properties(messages, f', "reason": "{reason}"'))

    def _machines(self, crowd: Crowd, sent: Messages, who: npt.NDArray[np.int64], at: Instants) -> None:
        chance, mail = self._chance, self._preset.mail
        apple = chance.happens(crowd.keys[who], "prefetches", mail.prefetching) & chance.happens(
            sent.keys, "fetched", 0.9
        )
        opened = sent.take(apple)
        when = at[apple] + ((5 + 900 * chance.uniform(opened.keys, "fetch") ** 3) * SECOND).astype(np.int64)
        said = self._labels(opened, "fetch label", True)
        self._log.mail(
            "Email Opened",
            opened,
            when,
            self._properties(opened),
            kind="machine",
            machine=said,
            agents=[_PREFETCH] * len(opened),
        )
        gate = chance.happens(crowd.keys[who], "scanned", mail.scanned)
        scanned = sent.take(gate)
        for link in ("sale", "unsubscribe"):
            when = at[gate] + ((1 + 7 * chance.uniform(scanned.keys, link)) * SECOND).astype(np.int64)
            said = self._labels(scanned, f"scan label {link}", True)
            properties = self._properties(scanned, f', "link_url": "{_URL}{link}"')
            agents = [_SCANNER] * len(scanned)
            self._log.mail("Email Link Clicked", scanned, when, properties, kind=link, machine=said, agents=agents)

    def _open(self, sent: Messages, at: Instants, clicked: Mask) -> None:
        opens = self._chance.happens(sent.keys, "opens", np.where(clicked, 0.9, self._preset.mail.opens))
        opened = sent.take(opens)
        delay = np.where(clicked[opens], self._click_delay(opened) * 0.98, self._click_delay(opened))
        said = self._labels(opened, "open label", False)
        agents = [_PERSON] * len(opened)
        when = at[opens] + delay.astype(np.int64)
        self._log.mail("Email Opened", opened, when, self._properties(opened), machine=said, agents=agents)

    def _click(self, crowd: Crowd, messages: Messages, who: npt.NDArray[np.int64], at: Instants) -> None:
        chance, users = self._chance, messages.user_id
        when = at + self._click_delay(messages)
        again = chance.happens(messages.keys, "clicks again", 0.15)
        for kind, mask, moment in (("", np.ones(len(messages), bool), when), ("again", again, when + 4 * MINUTE)):
            some = messages.take(mask)
            said, agents = self._labels(some, f"click label {kind}", False), [_PERSON] * len(some)
            properties = self._properties(some, f', "link_url": "{_URL}sale"')
            self._log.mail("Email Link Clicked", some, moment[mask], properties, kind=kind, machine=said, agents=agents)
        context = [
            json.dumps({"userAgent": _PERSON, "campaign": {"medium": "email", "name": name, "content": content}})
            for name, content in zip(messages.experiment_id, messages.creative_id, strict=True)
        ]
        visits = chance.derive(messages.keys, "landing")
        shop.view(self._log, chance, visits, users, when, context=context)
        rate = np.array([segment.order_after_click for segment in self._preset.segments.values()])[crowd.segment[who]]
        buys = np.flatnonzero(chance.happens(visits, "buys", rate))
        delay = 10 * MINUTE + np.minimum(chance.exponential(visits[buys], "considers") * DAY, _SLOWEST_ORDER).astype(
            np.int64
        )
        shop.order(
            self._log, chance, visits[buys], users[buys], when[buys] + delay, context=[context[buy] for buy in buys]
        )

    def _annoy(self, crowd: Crowd, sent: Messages, who: npt.NDArray[np.int64], at: Instants) -> Crowd:
        chance, law = self._chance, self._preset.annoyance
        today = int(sent.at[0] // DAY) % (WINDOW + 1)
        recent = crowd.mailed[who].sum(axis=1, dtype=np.int64) - crowd.mailed[who, today]
        growth = {text: self._response.annoyance(text) for text in set(sent.subject)}
        factor = law.growth * np.maximum(0, recent - law.tolerated_per_week) + np.array(
            [growth[text] for text in sent.subject]
        )
        complains = chance.happens(sent.keys, "complains", np.minimum(0.5, law.complaints * np.exp(factor)))
        leaves = ~complains & chance.happens(sent.keys, "leaves", np.minimum(0.5, law.unsubscribes * np.exp(factor)))
        rest_of_day = np.maximum(
            0, DAY - at % DAY - 10 * MINUTE
        )  # the identify event states the segment, which changes at night
        when = at + 5 * MINUTE + (chance.uniform(sent.keys, "patience") ** 2 * rest_of_day).astype(np.int64)
        for name, mask in (("Email Marked as Spam", complains), ("Unsubscribed", leaves)):
            self._log.mail(name, sent.take(mask), when[mask], self._properties(sent.take(mask)))
        mailed, left_at = crowd.mailed.copy(), crowd.left_at.copy()
        mailed[:, today] += np.bincount(who, minlength=len(crowd)).astype(np.uint8)
        gone = complains | leaves
        np.minimum.at(left_at, who[gone], when[gone])
        crowd = replace(crowd, mailed=mailed, left_at=left_at)
        keys = chance.derive(sent.keys[gone], "consent withdrawn")
        told = when[gone] + MINUTE
        self._log.web(None, keys, crowd.ids[who[gone]], told, crowd.traits(who[gone], told, self._preset))
        return crowd

    def _click_delay(self, messages: Messages) -> Instants:
        hours = 2.5 * np.exp(1.3 * self._chance.normal(messages.keys, "delay"))
        return np.asarray(np.minimum(MINUTE + hours * HOUR, _SLOWEST_CLICK), dtype=np.int64)

    def _labels(self, messages: Messages, purpose: str, machine: bool) -> npt.NDArray[np.object_]:
        unknown = self._chance.happens(messages.keys, purpose, _UNLABELLED)
        return np.where(unknown, None, machine)  # type: ignore[call-overload,no-any-return]  # numpy's stubs know no None

    def _properties(self, messages: Messages, more: str = "") -> list[str]:
        wording = {text: f'{{"email_subject": {json.dumps(text)}{more}}}' for text in set(messages.subject)}
        return [wording[text] for text in messages.subject]
