"""Loopwright: the warehouse-native marketing loop that can be trusted."""
