"""What becomes of messages of programs other than the newsletter: answered, bought from, invited with, or held against the sender."""

import json
import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from orchestration.sandbox import shop
from orchestration.sandbox.chance import Chance, Floats, Keys
from orchestration.sandbox.crowd import Crowd
from orchestration.sandbox.eventlog import EventLog
from orchestration.sandbox.instants import DAY, HOUR, MINUTE, SECOND, Instants
from orchestration.sandbox.outbox import Messages
from orchestration.sandbox.preset import Campaign, Preset
from orchestration.sandbox.response import Response

_SLOWEST_ANSWER = 46 * HOUR
_CHANNELS = {"Ad Clicked": "paid", "Ad Hidden": "paid", "Post Engaged": "social", "Unfollowed": "social"}
Mask = npt.NDArray[np.bool_]


class Campaigning:
    """Hands the messages of one program, day and experiment to the crowd and logs what follows.

    Args:
        response: Knows the tags of a text and the noise of wordings and sends.
    """

    def __init__(self, preset: Preset, campaign: Campaign, chance: Chance, response: Response, log: EventLog) -> None:
        self._preset, self._campaign, self._chance = preset, campaign, chance
        self._response, self._log = response, log

    def deliver(self, crowd: Crowd, messages: Messages) -> Crowd:
        """Adds the events of the messages; returns the crowd without those who had enough and with friends who came.

        Args:
            messages: Of one experiment and one day.
        """
        position = {user: number for number, user in enumerate(crowd.ids.tolist())}
        index = np.fromiter((position.get(user, -1) for user in messages.user_id), dtype=np.int64)
        reached = index >= 0
        reached[reached] &= crowd.consent[index[reached]] & (crowd.left_at[index[reached]] > messages.at[reached])
        sent, who = messages.take(reached), index[reached]
        if not len(sent):
            return crowd
        tags = [self._tags(text, elements) for text, elements in zip(sent.subject, sent.elements, strict=True)]
        if str(sent.program[0]) == "winback":
            self._log.mail("Email Delivered", sent, sent.at + MINUTE, self._properties(sent))
        rate = self._rates(sent, tags) * crowd.propensity(self._preset.noise.person)[who]
        answers = self._chance.happens(sent.keys, "answers", np.minimum(0.95, rate))
        crowd = self._answer(crowd, sent.take(answers), who[answers], [tags[row] for row in np.flatnonzero(answers)])
        return self._harm(crowd, sent, who, tags)

    def rate(self, text: str, tags: frozenset[str], send: str | None = None) -> float:
        """Chance that an average person answers a creative."""
        effect = sum(math.log1p(self._campaign.effects.get(tag, 0.0)) for tag in tags)
        return self._campaign.rate * math.exp(effect + self._response.noise(text, send))

    def _tags(self, text: str, elements: str) -> frozenset[str]:
        return self._response.tags(text) | frozenset(elements.split())

    def _rates(self, sent: Messages, tags: list[frozenset[str]]) -> Floats:
        send = str(sent.experiment_id[0])
        known: dict[tuple[str, str], float] = {}
        for text, elements, carried in zip(sent.subject, sent.elements, tags, strict=True):
            if (text, elements) not in known:
                known[text, elements] = self.rate(text, carried, send)
        return np.array([known[pair] for pair in zip(sent.subject, sent.elements, strict=True)])

    def _answer(
        self, crowd: Crowd, messages: Messages, who: npt.NDArray[np.int64], tags: list[frozenset[str]]
    ) -> Crowd:
        chance, log, event = self._chance, self._log, self._campaign.answer
        hours = 2.5 * np.exp(1.3 * chance.normal(messages.keys, "delay"))
        at = messages.at + np.asarray(np.minimum(MINUTE + hours * HOUR, _SLOWEST_ANSWER), dtype=np.int64)
        visits, users = chance.derive(messages.keys, "landing"), messages.user_id
        if event in _CHANNELS:
            log.mail(event, messages, at, self._properties(messages), machine=False, channel=_CHANNELS[event])
        elif event == "Invite Sent":
            return self._invite(crowd, messages, who, at, tags)
        else:
            shop.view(log, chance, visits, users, at)
            if event == "Product Added":
                products = (chance.uniform(visits, "product") * 240).astype(int)
                added = [f'{{"product_id": "p{product}"}}' for product in products.tolist()]
                log.web("Product Added", visits, users, at + 5 * MINUTE, added)
        bought = chance.happens(messages.keys, "orders", self._campaign.orders)
        shop.order(log, chance, visits[bought], users[bought], at[bought] + 9 * MINUTE)
        return crowd

    def _invite(
        self,
        crowd: Crowd,
        messages: Messages,
        who: npt.NDArray[np.int64],
        at: Instants,
        tags: list[frozenset[str]],
    ) -> Crowd:
        chance, log = self._chance, self._log
        invites = chance.derive(messages.keys, "invite")
        log.web(
            "Invite Sent",
            invites,
            messages.user_id,
            at,
            [f'{{"invite_id": "i{key:016x}"}}' for key in invites.tolist()],
        )
        came = chance.happens(invites, "accepted", self._campaign.accepted)
        costs = np.array([sum(self._campaign.grants.get(tag, 0.0) for tag in carried) for carried in tags])
        keys, inviters, when = invites[came], messages.user_id[came], at[came] + 20 * MINUTE
        paid = costs[came] > 0
        log.web(
            "Incentive Granted",
            keys[paid],
            inviters[paid],
            when[paid] + MINUTE,
            ["{}"] * int(paid.sum()),
            pence=(100 * costs[came][paid]).astype(np.int64),
        )
        return self._join(crowd, keys, inviters, when)

    def _join(self, crowd: Crowd, keys: Keys, inviters: npt.NDArray[np.object_], at: Instants) -> Crowd:
        chance, log = self._chance, self._log
        grown = crowd.joined_by(self._preset, at, list(self._preset.segments).index(self._preset.growth.segment))
        who = np.arange(len(crowd), len(grown))
        arrivals = chance.derive(keys, "arrives")
        log.web("Signed Up", arrivals, grown.ids[who], at, [json.dumps({"invited_by": user}) for user in inviters])
        told = at + SECOND
        log.web(None, chance.derive(arrivals, "identify"), grown.ids[who], told, grown.traits(who, told, self._preset))
        shop.view(log, chance, arrivals, grown.ids[who], at + MINUTE)
        return grown

    def _harm(self, crowd: Crowd, sent: Messages, who: npt.NDArray[np.int64], tags: list[frozenset[str]]) -> Crowd:
        for event, harm in self._campaign.harms.items():
            growth = np.array([sum(harm.tags.get(tag, 0.0) for tag in carried) for carried in tags])
            hurt = self._chance.happens(sent.keys, event, np.minimum(0.5, harm.rate * np.exp(growth)))
            messages, people = sent.take(hurt), who[hurt]
            rest_of_day = np.maximum(0, DAY - messages.at % DAY - 10 * MINUTE)
            patience = self._chance.uniform(messages.keys, "patience") ** 2
            at = messages.at + 5 * MINUTE + (patience * rest_of_day).astype(np.int64)
            if event == "Referral Flagged":
                self._log.web(
                    event, self._chance.derive(messages.keys, event), messages.user_id, at, ["{}"] * len(messages)
                )
                continue
            channel = _CHANNELS.get(event, "email")
            self._log.mail(event, messages, at, self._properties(messages), channel=channel)
            if event == "Unsubscribed":
                crowd = self._leave(crowd, people, messages, at)
        return crowd

    def _leave(self, crowd: Crowd, who: npt.NDArray[np.int64], messages: Messages, at: Instants) -> Crowd:
        left_at = crowd.left_at.copy()
        np.minimum.at(left_at, who, at)
        crowd = replace(crowd, left_at=left_at)
        keys, told = self._chance.derive(messages.keys, "consent withdrawn"), at + MINUTE
        self._log.web(None, keys, crowd.ids[who], told, crowd.traits(who, told, self._preset))
        return crowd

    def _properties(self, messages: Messages) -> list[str]:
        wording = {text: json.dumps({"text": text}) for text in set(messages.subject)}
        return [wording[text] for text in messages.subject]
