"""Who asks the model, and what for: its address names both, for its account; runs in environments of other versions."""

import os

MODEL = os.environ["MODEL_URL"]
PEOPLE = (("alice", "summarize"), ("bob", "answer"))
ASKED = [{"role": "user", "content": "once upon a time"}]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"name": "weather", "description": "Tell the weather.", "parameters": CITY}
BROKEN = "broken-model"


def address(user, operation, api):
    return f"{MODEL}/{user}/{operation}/{api}"
