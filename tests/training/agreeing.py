"""A worker that is to agree with another: ``python agreeing.py DIRECTORY [MORE]``, with its TF_CONFIG."""

import sys

from kerasseg.errors import UserError
from kerasseg.training import devices

if __name__ == "__main__":
    try:
        with devices.if_lost():
            strategy = devices.join().strategy
            devices.agree(strategy, {"kerasseg": "0.1", "recipe": {"seed": 1}})
            devices.agree(strategy, {"kerasseg": "0.1", "recipe": {"seed": len(sys.argv)}})
    except UserError as error:
        sys.exit(str(error))
