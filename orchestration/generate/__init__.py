"""From a brief to creatives: the generators and how their answers are checked."""
