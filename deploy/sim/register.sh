#!/bin/sh
# Makes the simulated stockings and legs known, orders fourteen days for both, and lets their gateway in. Once.
# Arguments: the fleet file, the gateway's folder.
set -eu
fleet=$1
gateway=$2
if [ -s "$gateway/password" ]; then
    exit 0
fi
fitted=$(sed -n 's/^ *"start_s": \([0-9]*\).*/\1/p' "$(dirname "$fleet")/sim.json")
start=$(date -u -d "@$((fitted / 60 * 60 + 60))" +%Y-%m-%dT%H:%M+00:00) # the next whole minute
calza server register --fleet "$fleet" --leg SIM-LEFT=sim-left --leg SIM-RIGHT=sim-right
for leg in sim-left sim-right; do
    calza server order give "$leg" --preset std-micro-14d --choose stocking=ral-1 --start "$start"
done
cp "$CALZA_SERVER_STATE/tls/ca.pem" "$gateway/ca.pem"
calza server gateway add simulated --password-file "$gateway/password"
