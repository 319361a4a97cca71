#!/bin/sh
# Install the servers the benchmark compares with. Run as root; starts no service.
#
# Debian packages come from bench/packages.txt, Haraka from the npm registry into
# build/bench/haraka; aiosmtpd is one of the package's development requirements.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
haraka_version=3.3.4

missing=
while read -r package command; do
    case $package in '' | '#'*) continue ;; esac
    if [ -n "$command" ] && command -v "$command" >/dev/null; then continue; fi
    missing="$missing $package"
done <"$here/packages.txt"

if [ -n "$missing" ]; then
    # Packages start their services unless this file says they may not; ours goes away again.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        trap 'rm -f "$policy"' EXIT
    fi
    export DEBIAN_FRONTEND=noninteractive
    if command -v debconf-set-selections >/dev/null; then
        echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
    fi
    apt-get -o DPkg::Lock::Timeout=300 update
    # shellcheck disable=SC2086  # a list of words
    apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $missing
fi

haraka=$here/../build/bench/haraka
if [ ! -e "$haraka/node_modules/haraka/bin/haraka" ]; then
    mkdir -p "$haraka"
    npm install --prefix "$haraka" --no-save --omit=optional "haraka@$haraka_version"
fi
