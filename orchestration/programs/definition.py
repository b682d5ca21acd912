"""What a program is: a validated YAML file, versioned by the digest of its canonical JSON."""

import datetime as dt
import hashlib
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from orchestration.edges import yaml_text
from orchestration.edges.faults import require
from orchestration.errors import Refusal
from orchestration.programs.channel_limits import Limits, graphemes, limits_of
from orchestration.programs.metric import Metric, Strict

Share = float
FOLDER = Path(__file__).parent
NO_PRICES = (
    "usd_per_million_input_tokens and usd_per_million_output_tokens are not set, so that its budget would not bind"
)
LEAST_ROOM = 30  # characters; with fewer, no text can carry its tags


class Thresholds(Strict):
    """Overrides of the policy seed for this program; None keeps the seed's value."""

    min_units_per_arm: int | None = Field(default=None, ge=1)
    min_conversions_per_arm: int | None = Field(default=None, ge=1)
    min_experiments: int | None = Field(default=None, ge=5)
    min_creatives_with_tag: int | None = Field(default=None, ge=1)
    planned_units: int | None = Field(default=None, ge=1)


class Experiments(Strict):
    """How each cycle's sends are built.

    Attributes:
        sends_per_cycle: Experiments a cycle; each one is a replicate of the evidence.
        exploit_arms: Arms per segment drawn from what is known.
        explore_share: Share of the traffic (outside the holdout) for the matched design.
        control_share: Share of the traffic for creatives made without the learnings.
        baseline_share: Share for the fixed text every arm is compared with.
        holdout_share: Share of people who get nothing, the same people in every send.
        batches: Parts in which a send goes out, each divided by what the earlier ones have shown; 1 is the whole send at once.
        resend: Whether an exploit arm may be a text that has proven itself, sent again. For people who do not tire of a text.
        batch_hours: Hours from one batch to the next; a run of the loop sends the batch that is due then.
        ramp: Shares of its people a new program reaches, cycle by cycle, while its guardrails are healthy; then everybody.
        exclusion_group: Programs of one group share its people out every week, so that nobody is in two of them.
    """

    sends_per_cycle: int = Field(default=3, ge=1, le=14)
    exploit_arms: int = Field(default=1, ge=1, le=8)
    explore_share: Share = Field(default=0.3, ge=0.05, le=0.9)
    control_share: Share = Field(default=0.15, ge=0, le=0.5)
    baseline_share: Share = Field(default=0.15, gt=0, le=0.5)
    holdout_share: Share = Field(default=0.05, ge=0, le=0.5)
    batches: int = Field(default=1, ge=1, le=24)
    resend: bool = False
    batch_hours: int = Field(default=12, ge=1, le=96)
    ramp: list[Annotated[float, Field(gt=0, le=1)]] = Field(default_factory=list)
    exclusion_group: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]*$")

    @model_validator(mode="after")
    def _shares_leave_room(self) -> Self:
        if self.ramp != sorted(set(self.ramp)):
            raise ValueError("the levels of a ramp rise")
        if self.explore_share + self.control_share + self.baseline_share >= 1:
            raise ValueError("explore, control and baseline shares leave nothing for what was learned")
        if self.resend and self.exploit_arms < 2:
            raise ValueError(
                "resend needs exploit_arms of at least 2: one stays a new text, which the matched design is built on"
            )
        return self


class Model(Strict):
    """The model that writes; ``offline`` needs no account and writes from a grammar.

    Attributes:
        grammar: Of the offline generator, which also writes what a model cannot.
        api: Which of OpenAI's two interfaces the server speaks; every compatible one speaks ``chat``.
        moderation: Model of the server's moderation endpoint that screens each text, or None where it has none.
        batch: Whether the server has OpenAI's batch API: questions of a big cycle are handed in together and cost less.
        batch_least: Fewest questions that are worth a batch; fewer are asked one by one.
        batch_wait_minutes: How long a run waits for a batch; one that takes longer is collected by a later run.
        batch_price: Share of the usual price that a batched question costs.
        budget_usd_per_cycle: Most that a cycle may cost; with 0 nobody is asked. Without prices every call counts as free.
    """

    generator: Literal["offline", "openai"] = "offline"
    grammar: str = Field(default="subject_lines", pattern=r"^[a-z][a-z0-9_]*$")
    api: Literal["chat", "responses"] = "chat"
    moderation: str | None = None
    batch: bool = False
    batch_least: int = Field(default=6, ge=1)
    batch_wait_minutes: float = Field(default=30.0, ge=0)
    batch_price: float = Field(default=0.5, ge=0, le=1)
    name: str | None = None
    base_url: str | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    budget_usd_per_cycle: float = Field(default=1.0, ge=0)
    usd_per_million_input_tokens: float = Field(default=0.0, ge=0)
    usd_per_million_output_tokens: float = Field(default=0.0, ge=0)

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        if url is not None and not re.fullmatch(r"https?://[^/\s:]+(:\d+)?(/\S*)?", url):
            raise ValueError(f"{url!r} is no address; write scheme and host, such as https://models.example.com/v1")
        return url

    @property
    def lacks_prices(self) -> bool:
        """Whether its server is OpenAI's, which bills, and nobody said what it takes: no budget would ever be used up."""
        bills = self.base_url is None or re.match(r"https?://api\.openai\.com(?![\w.-])", self.base_url) is not None
        told = {"usd_per_million_input_tokens", "usd_per_million_output_tokens"} <= self.model_fields_set
        return self.generator == "openai" and bills and not told and self.budget_usd_per_cycle > 0


class Element(Strict):
    """A property of a creative that its text does not show, such as a format or an incentive.

    Attributes:
        describe: What a creative that has it does, for whoever makes it; begins with a verb.
        says: Sentences of which one ends the text of a creative with this element: an incentive is worded by the program, not by a
            model. None where nothing is said.
    """

    tag: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    describe: str = Field(min_length=1)
    says: tuple[str, ...] = ()


class Activation(Strict):
    """Ordered steps a new person takes within a window; the last one means activated."""

    steps: list[str] = Field(min_length=1)
    within_days: int = Field(default=7, ge=1, le=90)


class Program(Strict):
    """One loop: a channel, an audience, one objective, guardrails, a taxonomy and a cadence.

    Attributes:
        audience: Who may be addressed, of those who agreed: ``subscribed`` is all of them, ``not_activated`` and ``activated`` those
            who signed up and did not or did take the steps, ``inactive`` those without activity, in segments at_risk and dormant.
        segments: Parts of the audience, each with creatives of its own; people of other segments are left alone.
        tags: What generation steers: features that the taxonomy reads in a text, and the ``elements``.
        elements: Tags that no text shows, so that the design itself states them.
        groups: Tags of which a creative carries at most one, such as a format; a tag in no group is free.
    """

    program: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    description: str
    channel: Literal["email", "paid", "social", "in_app"] = "email"
    audience: Literal["subscribed", "not_activated", "activated", "inactive"] = "subscribed"
    cadence: Literal["weekly", "daily"] = "weekly"
    segments: list[str] = Field(min_length=1)
    metrics: list[Metric] = Field(min_length=1)
    tags: list[str] = Field(min_length=1, description="Tags generation steers, of the taxonomy.")
    elements: tuple[Element, ...] = ()
    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    baseline: str = Field(min_length=1, description="The text every arm is compared with.")
    experiments: Experiments = Experiments()
    thresholds: Thresholds = Thresholds()
    activation: Activation | None = None
    model: Model = Model()
    voice: str = ""
    facts: list[str] = Field(default=[], description="What a model's texts may state; a figure they use stands here.")
    disclosures: list[str] = Field(default=[], description="Phrases that every text must carry.")
    first_cycle: dt.date
    approval: Literal["automatic", "required"] = "required"
    dry_run: bool = True

    @field_validator("metrics")
    @classmethod
    def _one_objective(cls, metrics: list[Metric]) -> list[Metric]:
        objectives = [metric.name for metric in metrics if metric.role == "objective"]
        if len(objectives) != 1:
            raise ValueError(f"exactly one metric has role objective, found {len(objectives)}")
        if len({metric.name for metric in metrics}) != len(metrics):
            raise ValueError("metric names repeat")
        return metrics

    @field_validator("segments")
    @classmethod
    def _each_segment_once(cls, segments: list[str]) -> list[str]:
        if len(set(segments)) != len(segments):
            raise ValueError("segments name one twice")
        if "all" in segments:
            raise ValueError("all is what its parts are called together: name the segments themselves")
        return segments

    @model_validator(mode="after")
    def _steps_are_known(self) -> Self:
        if self.activation is None and any(metric.value == "steps" for metric in self.metrics):
            raise ValueError("a metric of activation steps needs activation")
        if self.activation is None and self.audience in ("activated", "not_activated"):
            raise ValueError(f"audience {self.audience} needs activation")
        if self.audience == "inactive" and not set(self.segments) <= {"at_risk", "dormant"}:
            raise ValueError("audience inactive has the segments at_risk and dormant")
        return self

    @model_validator(mode="after")
    def _tags_are_told_once(self) -> Self:
        elements = [element.tag for element in self.elements]
        grouped = [tag for tags in self.groups.values() for tag in tags]
        for named, where in ((self.tags, "tags"), (elements, "elements"), (grouped, "groups")):
            if len(set(named)) != len(named):
                raise ValueError(f"{where} name a tag twice")
        if unknown := sorted({*elements, *grouped} - set(self.tags)):
            raise ValueError(f"{unknown[0]} is an element or in a group, but not in tags")
        return self

    @model_validator(mode="after")
    def _texts_fit_the_channel(self) -> Self:
        whole = limits_of(self.channel)
        if not any(sign.isprintable() and not sign.isspace() for sign in self.baseline):
            raise ValueError("the baseline shows nothing: write the text that every arm is compared with")
        if any("\n" in sentence for element in self.elements for sentence in element.says):
            raise ValueError("a sentence of an element must stand on one line")
        if len(f"{self.baseline}.".splitlines()) > whole.most_lines:  # the dot shows a break at the end
            most = "one line" if whole.most_lines == 1 else f"{whole.most_lines} lines"
            raise ValueError(f"the baseline breaks into more than the {most} of channel {self.channel}")
        if graphemes(self.baseline) > whole.longest:
            raise ValueError(f"the baseline has more than the {whole.longest} characters of channel {self.channel}")
        if self.limits.longest < LEAST_ROOM:
            raise ValueError(
                f"the sentences of elements take {self.reserved} of the {whole.longest} characters of channel {self.channel} and leave "
                f"fewer than {LEAST_ROOM} for the text: shorten them, or put elements in one group"
            )
        return self

    @model_validator(mode="after")
    def _batches_fit_in_the_cycle(self) -> Self:
        room = {"weekly": 96, "daily": 12}[self.cadence]  # after the latest send of a cycle
        if (self.experiments.batches - 1) * self.experiments.batch_hours > room:
            raise ValueError(f"the batches of a send must lie within {room} hours of a {self.cadence} cycle")
        if self.experiments.batches > 1 and self.objective.value not in ("any", "count", "sum"):
            raise ValueError("batches follow an objective with value any, count or sum: others have no early outcome")
        return self

    @model_validator(mode="after")
    def _ramps_are_guarded(self) -> Self:
        if self.experiments.ramp and not any(metric.role == "guardrail" for metric in self.metrics):
            raise ValueError("a ramp needs a guardrail: nothing else lets it advance")
        return self

    @property
    def objective(self) -> Metric:
        """The one metric the loop moves."""
        return next(metric for metric in self.metrics if metric.role == "objective")

    @property
    def text_tags(self) -> tuple[str, ...]:
        """Tags that a text shows, in their order: those that are no elements."""
        return tuple(tag for tag in self.tags if tag not in self.element_tags)

    @property
    def element_tags(self) -> frozenset[str]:
        """Tags that no text shows."""
        return frozenset(element.tag for element in self.elements)

    def rivals(self, tag: str) -> frozenset[str]:
        """Tags that a creative with this one does not carry."""
        return frozenset(other for tags in self.groups.values() if tag in tags for other in tags) - {tag}

    @property
    def reserved(self) -> int:
        """Bytes, and so at least as many characters, that the sentences of its elements may add to a text, stops and spaces included.

        Every text leaves as much free, also one without an element: a twin that differs in an element alone can be the same text.
        """
        adds = {
            element.tag: max((len(says.encode()) + 2 for says in element.says), default=0) for element in self.elements
        }
        grouped = {tag for tags in self.groups.values() for tag in tags}
        together = sum(size for tag, size in adds.items() if tag not in grouped)
        return together + sum(max(adds.get(tag, 0) for tag in tags) for tags in self.groups.values() if tags)

    @property
    def limits(self) -> Limits:
        """What a text may be before the sentences of its elements, so that with them it is what its channel takes."""
        whole = limits_of(self.channel)
        return whole.model_copy(
            update={"longest": whole.longest - self.reserved, "most_bytes": whole.most_bytes - self.reserved}
        )

    @property
    def version(self) -> str:
        """sha256 of the canonical JSON: two equal definitions are one version."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()

    def canonical_json(self) -> str:
        """The definition as JSON with its fields in declaration order."""
        return self.model_dump_json()


def read_program(path: Path) -> Program:
    """Reads one program's YAML.

    Raises:
        Refusal: if the file is missing, is not YAML, or says something a program may not say.
    """
    content = yaml_text.read(path, remedy="Mend the file; `loop doctor` checks it.")
    return require(Program, content, str(path), "Mend the file; see the README, section Programs.")


def read_programs(folder: Path) -> list[Program]:
    """Reads every program of a folder, in the order of their names.

    Raises:
        Refusal: if one of them cannot be read, two share a name, or there is none.
    """
    programs = [read_program(path) for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])]
    if not programs:
        raise Refusal(str(folder), "holds no program", "Add a YAML file; subject_lines.yaml is an example.")
    names = [program.program for program in programs]
    if len(set(names)) != len(names):
        raise Refusal(str(folder), "two files define the same program", "Give each program its own name.")
    return programs
