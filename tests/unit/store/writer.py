"""A process that writes to the store at PLACE until it is killed, and prints each revision it was granted.

Each revision has a round number in several resources, every tenth in many.
"""

from __future__ import annotations

import sys

from toolway.store import Change, Store

from .stores import sealer

FEW, MANY = 3, 500


def changes(number: int) -> list[Change]:
    """What revision `number` writes."""
    size = MANY if number % 10 == 0 else FEW
    own = Change("routes", f"of-{number}", {"size": size, "plugins": {"p": {"secret": f"secret {number}"}}})
    return [own, *(Change("services", str(place), {"number": number}) for place in range(size - 1))]


def main(place: str) -> None:
    """Writes until the end."""
    with Store.open(place, sealer=sealer()) as store:
        while True:
            number = store.revision() + 1
            store.write(changes(number), base=number - 1, actor="writer")
            print(number, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
