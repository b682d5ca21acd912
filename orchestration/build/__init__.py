"""Build: the dbt project over raw and ledger, and the published copy of its marts."""
