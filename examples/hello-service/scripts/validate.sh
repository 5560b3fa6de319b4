#!/bin/sh
# Passes when the release answers and is the version that was just installed.
set -eu
/opt/hello-service/hello-service probe 127.0.0.1:8080
/opt/hello-service/hello-service fetch 127.0.0.1:8080
