#!/bin/sh
# Is the broker well? It must show its certificate to a stranger and then refuse him: that is an answer, and the right one.
# So the check needs no credential. Arguments: the authority's file, port.
set -u
mosquitto_sub -h localhost -p "$2" --cafile "$1" -i health -t health -W 5 >/dev/null 2>&1
[ $? -eq 5 ]  # "not authorised"
