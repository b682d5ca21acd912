"""The door of Amazon SES through SNS: an envelope whose proof is a certificate, and a subscription that must be confirmed.

Anybody may own a topic, and Amazon signs for all of them: the topic must be one of ours. The signed time is that of publication, which
Amazon's retries keep, so it is not judged; a message seen before is dropped by its id in staging. Amazon takes most 4xx answers as
final, so what is our own trouble (a certificate out of reach) is a 503.
"""

import logging
from collections.abc import Callable

from orchestration.edges.certificates import Certificates, Fetch, Unreachable, is_amazon
from orchestration.serve import signatures
from orchestration.serve.answers import Turned
from orchestration.serve.bodies import parsed
from orchestration.serve.webhooks import Delivery

LOG = logging.getLogger(__name__)
CONTENT_TYPES = ("text/plain", "application/json")
KEPT_HEADERS = ("x-amz-sns-message-type", "x-amz-sns-message-id")
_GREETING = b"Successfully validated SNS topic"


def is_greeting(delivery: Delivery) -> bool:
    """Whether this is the unsigned text that SNS sends once after a subscription; it says nothing and is not kept."""
    return delivery.body.startswith(_GREETING) and "x-amz-sns-message-type" not in delivery.headers


def verify(delivery: Delivery, certificates: Certificates) -> dict[str, str]:
    """The envelope, proved to be Amazon's and of one of our topics.

    Raises:
        Turned: if it is not.
    """
    body = parsed(delivery.body)
    if not isinstance(body, dict):
        raise Turned(400, "the body is not an SNS message")
    message = {name: value for name, value in body.items() if isinstance(value, str)}
    for header, name in (("type", "Type"), ("id", "MessageId")):
        told = delivery.headers.get(f"x-amz-sns-message-{header}")
        if told is not None and told != message.get(name):
            raise Turned(401, "headers and body name different messages")
    if message.get("TopicArn") not in delivery.secrets:
        raise Turned(401, "the topic is not one of ours")
    try:
        key = certificates.public_key(message.get("SigningCertURL", ""))
    except Unreachable as error:
        raise Turned(503, "the signing certificate could not be fetched; send it again") from error
    if key is None or not signatures.sns(key, message):
        raise Turned(401, "the signature is wrong")
    return message


def confirmation(message: dict[str, str], fetch: Fetch) -> Callable[[], None] | None:
    """What confirms a subscription to one of our topics, to be called once the message is kept; None for other messages."""
    url = message.get("SubscribeURL", "")
    if message["Type"] != "SubscriptionConfirmation" or not is_amazon(url):
        return None

    def confirm() -> None:
        try:
            fetch(url)
        except Unreachable as error:
            LOG.warning(
                "%s -> the subscription could not be confirmed (%s). Confirm it in the console.",
                message["TopicArn"],
                error,
            )
        else:
            LOG.info("%s: subscription confirmed", message["TopicArn"])

    return confirm
