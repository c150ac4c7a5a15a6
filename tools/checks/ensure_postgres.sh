#!/bin/sh
# Makes sure that PostgreSQL's server programs are on this machine; the tests start a server of their own with them.
# Installs Debian's package where they are missing, without a cluster, so that no service is started.
command -v initdb >/dev/null 2>&1 && exit 0
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && exit 0

refuse() {
    echo "The tests need PostgreSQL's server programs (initdb, postgres), and $1." >&2
    echo "Install them with your package manager (Debian: apt-get install postgresql), then run make test again." >&2
    exit 1
}

command -v apt-get >/dev/null 2>&1 || refuse "this machine has no apt-get to install them with"
as_root=""
if [ "$(id -u)" -ne 0 ]; then
    sudo -n true 2>/dev/null || refuse "installing them takes root or a sudo that asks for no password"
    as_root="sudo -n"
fi

echo "Installing PostgreSQL's server programs for the tests."
conf=/etc/postgresql-common/createcluster.conf
if [ ! -e "$conf" ]; then
    $as_root mkdir -p "$(dirname "$conf")"
    echo "create_main_cluster = false" | $as_root tee "$conf" >/dev/null
fi
log=$(mktemp)
export DEBIAN_FRONTEND=noninteractive
if ! { $as_root apt-get update && $as_root apt-get install -y --no-install-recommends \
        -o Dpkg::Options::=--force-confold postgresql; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    refuse "apt-get could not install them (its last lines are above)"
fi
rm -f "$log"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || refuse "apt-get installed none"
