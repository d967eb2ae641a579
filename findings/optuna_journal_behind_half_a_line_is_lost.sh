#!/usr/bin/env bash
# Optuna 5.0.0: a journal (`JournalFileBackend`) whose last line was cut short, as by a full disk, cannot be used any
# more: the next process that opens the study adds its line to that half, and from then on all fail, also with room
# on the disk again. The trials before it are all there; cutting off the half line brings them back.
#
# Seen: 2 trials, then JSONDecodeError; without the half line 2 trials
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check optuna==5.0.0 numpy==2.2.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import os
import sys

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

optuna.logging.set_verbosity(optuna.logging.ERROR)


def opened():
    kept = JournalStorage(JournalFileBackend("optuna.log"))
    return optuna.create_study(study_name="study", storage=kept, load_if_exists=True)


def opens():
    try:
        return len(opened().trials)
    except Exception as error:
        return type(error).__name__


opened().optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
whole = os.path.getsize("optuna.log")
with open("optuna.log", "ab") as journal:
    journal.write(b'{"op_code": 5, "worker_id": "half a li')
seen = [opens(), opens()]
os.truncate("optuna.log", whole)
seen.append(opens())
print(seen)
sys.exit(seen != [2, "JSONDecodeError", 2])
PYTHON
