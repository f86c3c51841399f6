"""Tasks: makers of Pairs, one file each. `custom` makes them of the user's own rows."""

from workbench.tasks import (
    capitals,
    docstring,
    gendered_pronouns,
    greater_than,
    ioi,
    laundry_list,
    repeated_tokens,
    subject_verb,
)
from workbench.tasks.custom import custom
from workbench.tasks.task import Catalogue, Task

TASKS: dict[str, Task] = Catalogue(
    {
        "ioi": ioi.TASK,
        "laundry_list": laundry_list.TASK,
        "greater_than": greater_than.TASK,
        "gendered_pronouns": gendered_pronouns.TASK,
        "subject_verb": subject_verb.TASK,
        "capitals": capitals.TASK,
        "docstring": docstring.TASK,
        "repeated_tokens": repeated_tokens.TASK,
    }
)

__all__ = ["TASKS", "Task", "custom"]
