"""The sandbox's AWS: moto, extended in this process where it is too kind or too thin.

Alone, without Kubernetes (enough to test everything that is only AWS):

    sandbox/build/venv                                    # makes the Python environment
    PYTHONPATH=sandbox $CACHE/venv/bin/python -m aws --port 4566 > env.sh &
    . ./env.sh                                            # AWS_ENDPOINT_URL, key, region

where $CACHE is ${XDG_CACHE_HOME:-$HOME/.cache}/tritondeploy. `--port 0` picks a free port, `--speed 600` makes AWS
600 times faster (60 by default), `--log FILE` writes a line a call, `--strict` makes an answer that breaks the service's
model an error. State is in memory: it begins empty. Who wants many of them starts one `python -m aws --fork-server`
(forkserver.py).

Every call must be signed with a key that the sandbox gave out; users and roles may do what their policies say (the user
of the printed key may do everything). For tests, unsigned, under the same address:

    GET  /_sandbox/dump              everything that exists, canonical JSON; what is gone but still shown left out
    GET  /_sandbox/calls             every mutating call: count, count by principal, list with request ids
    POST /_sandbox/faults            what goes wrong with single calls
    POST /_sandbox/modes             how AWS is: short of capacity, throttling, slow to show what was made
    GET  /_sandbox/ready

All of them are in docs/sandbox.md.

Inside the supervisor: `aws.server.serve(world, host, port, speed)` with a World of `aws/world.py`; `aws.sts.identify(token,
cluster)` says who an EKS bearer token is.
"""
