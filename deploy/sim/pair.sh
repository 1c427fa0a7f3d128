#!/bin/sh
# Pairs a gateway with every simulated stocking by the code on its label. Once.
# Arguments: what the simulator printed, its radio, the gateway's folder.
set -eu
ready=$1
radio=$2
state=$3
if [ -e "$state/paired" ]; then
    exit 0
fi
grep -o '"label": "[^"]*"' "$ready" | cut -d '"' -f 4 | while read -r label; do
    printf '%s\n' "$label" | calza gateway pair --label - --radio "$radio" --state "$state"
done
touch "$state/paired"
