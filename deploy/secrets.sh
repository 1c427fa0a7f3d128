#!/bin/sh
# Draws the passwords of docker-compose.yml into a folder, each once; what is there stays. Argument: the folder (secrets).
#
# Compose hands a file to a container as it is, owner and mode too, and the programs inside are other users than you. So
# the files are readable by all, and the folder, which containers never see, by you alone.
set -eu
folder=${1:-secrets}
mkdir -p "$folder"
chmod 700 "$folder"
for name in influx_token influx_password grafana_password grafana_influx_password; do
    if [ ! -s "$folder/$name" ]; then
        head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$folder/$name.partial"
        chmod 444 "$folder/$name.partial"
        mv "$folder/$name.partial" "$folder/$name"
        echo "drew $folder/$name"
    fi
done
