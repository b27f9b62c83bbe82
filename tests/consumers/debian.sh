#!/bin/bash
# SPDX-License-Identifier: MIT
# Debian packages: built as docs/install.md says, looked over by lintian, then installed, used and removed in a Debian that
# has nothing else. debian.sh BUILD_DIR
source "$(dirname "$0")/common.sh"
begin debian
cd "$source_dir"
rm -rf build/debian/packages
while read -r command; do
  quietly "$work/build.log" bash -ec "$command"
done < <(grep -hE '^(cmake|cpack) .*--preset debian' docs/install.md)
packages=("$source_dir"/build/debian/packages/*.deb)
[ ${#packages[@]} = 3 ] || fail "not three packages: ${packages[*]}"
# What does not count: symbols files (decision 38), scripts for other inits than systemd, fortified functions where none is
# called (all is built with -D_FORTIFY_SOURCE), and spelling, which it also looks for in machine code.
ignored='no-symbols-control-file|package-supports-alternative-init-but-no-init.d-script|hardening-no-fortify-functions|spelling-error-in-binary'
lintian --allow-root --fail-on none --display-info --pedantic "${packages[@]}" >"$work/lintian"
if grep -vE "^I: [^ ]+: ($ignored) " "$work/lintian" >&2; then fail "lintian has something to say"; fi

# A bare Debian of the same release, from where this one has its packages.
as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo -n)
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
list_sources() {
  apt-get indextargets --format 'deb $(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' |
    sort -u >"$work/sources"
}
list_sources
if [ ! -s "$work/sources" ]; then
  quietly "$work/update.log" "${as_root[@]}" apt-get update
  list_sources
fi
[ -s "$work/sources" ] || fail "apt has no lists of packages"
mapfile -t apt_options < <(apt-config dump | grep -E '^Acquire::(https?::Proxy|Check-Valid-Until|Retries) ' |
  sed 's/^/--aptopt=/; s/;$//')
quietly "$work/root.log" "${as_root[@]}" mmdebstrap --variant=apt --include=ca-certificates "${apt_options[@]}" \
  --aptopt='Acquire::Retries "3"' --dpkgopt=force-unsafe-io \
  --customize-hook="copy-in ${packages[*]} $consumers/main.cpp $consumers/debian $consumers/sqlite.cpp /root" \
  --customize-hook='chroot "$1" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin sh /root/debian/check.sh' \
  "$suite" /dev/null - <"$work/sources"
rm -rf "$work"
