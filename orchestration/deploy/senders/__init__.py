"""Senders: one module for each channel, each of them a :class:`orchestration.deploy.messages.Sender`."""
