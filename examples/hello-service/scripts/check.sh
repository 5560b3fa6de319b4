#!/bin/sh
# The installed program must be there and executable before anything is started.
set -eu
test -x /opt/hello-service/hello-service
