"""The only code that touches outside things: the warehouse, the model API, prompt files, the clock."""
