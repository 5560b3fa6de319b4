#!/bin/sh
# Makes the folder that the release is installed into.
set -eu
mkdir -p /opt/hello-service
