#!/bin/sh
# Starts the release in the background. Its output goes to a file: a hook ends only when nobody holds its pipes.
set -eu
/opt/hello-service/hello-service serve 127.0.0.1:8080 </dev/null >/var/log/hello-service.log 2>&1 &
echo $! >/run/hello-service.pid
