#!/bin/sh
# Stops the running release and waits until it is gone.
set -eu
pid_file=/run/hello-service.pid
[ -f "$pid_file" ] || exit 0
pid=$(cat "$pid_file")
kill "$pid" 2>/dev/null || true
tries=0
while kill -0 "$pid" 2>/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || { echo "process $pid does not end" >&2; exit 1; }
    sleep 0.1
done
rm -f "$pid_file"
