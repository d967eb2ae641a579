#!/usr/bin/env bash
# TensorFlow 2.21.0's SlurmClusterResolver puts hosts into the order of their text, while Slurm numbers tasks in the order of
# the node list. For node[9-11] with a task each, Slurm's task 0 runs on node9, but the resolver's worker 0 is node10:
# every process is told an address that is another one's. Names of equal length (node[09-11]) are in order.
#
# Seen: node[9-11]: node10:8888 node11:8888 node9:8888; node[09-11]: node09:8888 node10:8888 node11:8888; task of SLURM_PROCID 0: 0
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tensorflow==2.21.0
"$folder/venv/bin/python" - 2>/dev/null <<'PYTHON'
import os
import sys

import tensorflow as tf

os.environ |= {"SLURM_STEP_NUM_TASKS": "3", "SLURM_STEP_TASKS_PER_NODE": "1(x3)", "SLURM_PROCID": "0"}
workers = {}
for nodes in ("node[9-11]", "node[09-11]"):
    os.environ["SLURM_STEP_NODELIST"] = nodes
    resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
        {"worker": 3}, gpus_per_node=1, gpus_per_task=1, auto_set_gpu=False
    )
    workers[nodes] = " ".join(resolver.cluster_spec().as_dict()["worker"])
print(*(f"{nodes}: {hosts};" for nodes, hosts in workers.items()), f"task of SLURM_PROCID 0: {resolver.task_id}")
seen = ["node10:8888 node11:8888 node9:8888", "node09:8888 node10:8888 node11:8888"]
sys.exit((list(workers.values()), resolver.task_id) != (seen, 0))
PYTHON
