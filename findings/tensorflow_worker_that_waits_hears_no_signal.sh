#!/usr/bin/env bash
# TensorFlow 2.21.0: `tf.distribute.MultiWorkerMirroredStrategy` waits where another worker of TF_CONFIG does not come, and
# hears neither Ctrl-C (SIGINT) nor SIGTERM meanwhile, by which batch systems, containers and `timeout` end a job: only
# SIGKILL ends it. That there is no port 99999 does not keep it from waiting for one.
#
# Seen: alive 10 s after both signals; ended by SIGKILL
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tensorflow==2.21.0
cat > "$folder/worker.py" <<'PYTHON'
import json
import os
import socket

with socket.create_server(("127.0.0.1", 0)) as server:
    here = f"127.0.0.1:{server.getsockname()[1]}"
cluster = {"worker": [here, "127.0.0.1:99999"]}
os.environ["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": 0}})

import tensorflow as tf

print("waits", flush=True)
tf.distribute.MultiWorkerMirroredStrategy()
PYTHON
"$folder/venv/bin/python" - "$folder/worker.py" <<'PYTHON'
import signal
import subprocess
import sys
import time

worker = subprocess.Popen([sys.executable, sys.argv[1]], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
worker.stdout.readline()
time.sleep(10)
for number in (signal.SIGINT, signal.SIGTERM):
    worker.send_signal(number)
time.sleep(10)
alive = worker.poll() is None
worker.kill()
seen = alive, worker.wait()
print(seen)
sys.exit(seen != (True, -signal.SIGKILL))
PYTHON
