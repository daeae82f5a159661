#!/usr/bin/env python3
"""Runs an inference engine as a server of the federation while a job lasts. Python 3.6 or later, nothing else.

    ilaas_job.py vllm serve MODEL --port 8000 …

Environment: ILAAS_URL, ILAAS_TOKEN_FILE, ILAAS_ADDRESS (where the router reaches the engine, without /v1); if need be
ILAAS_LOCAL (where this script does), ILAAS_KEY (the engine's access key), ILAAS_ENDS_AT (2027-01-31T18:00:00+01:00).
SIGTERM or SIGUSR1 drains: nothing new comes, what runs is finished, for at most ILAAS_DRAIN_SECONDS (120).
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

ENV, BEAT, SETTLED = os.environ, 5, 3
BEGIN = {
    "base_url": ENV["ILAAS_ADDRESS"],
    "job": f"{ENV.get('SLURM_JOB_ID', os.getpid())} {os.uname().nodename}",
    "ends_at": ENV.get("ILAAS_ENDS_AT"),
    "api_key": ENV.get("ILAAS_KEY"),
}


def ask(method, path="", body=None):
    """Return status and answer; status 0 when the federation cannot answer now, and is to be asked again."""
    token = Path(ENV["ILAAS_TOKEN_FILE"]).read_text().strip()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    url = f"{ENV['ILAAS_URL'].rstrip('/')}/manage/api/lease{path}"
    try:
        request = Request(url, json.dumps(body or {}).encode(), headers, method=method)
        with urlopen(request, timeout=5) as answer:
            return answer.status, json.loads(answer.read().decode() or "{}")
    except (OSError, ValueError) as trouble:
        said = trouble.read().decode() if isinstance(trouble, HTTPError) else trouble
        print("ilaas:", method, path, said, file=sys.stderr, flush=True)
        status = getattr(trouble, "code", 0)
        return status if 400 <= status < 429 else 0, {}


def engine_answers():
    try:
        local = ENV.get("ILAAS_LOCAL", ENV["ILAAS_ADDRESS"])
        return urlopen(f"{local}/v1/models", timeout=2).status == 200
    except OSError as trouble:
        return getattr(trouble, "code", 0) in (401, 403)  # it is there, and wants its key


wishes = []
for wish in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
    signal.signal(wish, lambda *_: wishes.append(time.time()))
engine = subprocess.Popen(sys.argv[1:], start_new_session=True)
lease, number, told = None, 0, False
while engine.poll() is None and not (wishes and lease is None):
    pause = BEAT
    if lease is None and engine_answers():
        lease, number, told = ask("POST", body=BEGIN)[1].get("id"), 0, False
    elif lease is None or wishes:
        pause = 1
    if lease and wishes and not told:
        told = ask("POST", f"/{lease}/drain")[0] == 200
    if lease:
        number += 1
        status, held = ask("POST", f"/{lease}/heartbeat", {"number": number})
        lease = None if status in (401, 404, 410) else lease  # over: it registers again
        drained_for = time.time() - wishes[0] if wishes else 0
        is_idle = told and held.get("in_flight") == 0 and drained_for > SETTLED
        if is_idle or drained_for > float(ENV.get("ILAAS_DRAIN_SECONDS", 120)):
            break
    deadline = time.time() + pause
    while time.time() < deadline and engine.poll() is None and (pause == 1 or not wishes):
        time.sleep(0.2)
if lease:
    ask("DELETE", f"/{lease}")
if engine.poll() is None:
    os.killpg(engine.pid, signal.SIGTERM)
code = engine.wait()
sys.exit(0 if wishes else code)
