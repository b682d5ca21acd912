"""A server on loopback that plays the channels: their HTTP, their paging, their limits and their faults, from one seeded world."""
