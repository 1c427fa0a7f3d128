#!/bin/sh
# Runs Mosquitto, and has it look again (SIGHUP) when a gateway was let in or shut out, or the certificate renewed.
# Mosquitto itself never looks: it is told. Arguments: its configuration, the folder to watch.
set -eu
configuration=$1
folder=$2

seen() { cat "$folder"/* 2>/dev/null | cksum; }

told=$(seen)
last=$told
mosquitto -c "$configuration" &
broker=$!
trap 'kill -TERM "$broker" 2>/dev/null || true' TERM INT

while kill -0 "$broker" 2>/dev/null; do
    sleep 1 &
    wait $! || true # a signal ends the wait at once, not the pause
    now=$(seen)
    # Only what has come to rest: with a key and a certificate that do not fit together it would refuse everybody.
    if [ "$now" = "$last" ] && [ "$now" != "$told" ]; then
        told=$now
        kill -HUP "$broker" 2>/dev/null || true
    fi
    last=$now
done
wait "$broker"
