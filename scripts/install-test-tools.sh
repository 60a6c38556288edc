#!/usr/bin/env bash
# Installs what the tests need and `npm ci` does not bring: Redis, and a browser. Run by `npm test` before the tests.
#
# Only on systems with apt, and only as root; keeps a package's service from being started, since tests start their own.
# Says nothing when all is there. Never fails its caller: without a tool the tests that need it are skipped by name.
set -u

# Servers lie in sbin folders, which are on root's PATH only.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
# Command and package have the same names.
missing=()
for tool in redis-server chromium; do
  command -v "$tool" >/dev/null 2>&1 || missing+=("$tool")
done

# Debian starts a service when its package is installed, unless this script of the administrator's forbids it
# (Debian Policy, section 9.3.3; invoke-rc.d(8)): 101 is its word for that. One that is there stays as it is.
policy=/usr/sbin/policy-rc.d
policy_is_ours=no

forbid_services() {
  if [ -e "$policy" ] || [ -L "$policy" ]; then
    echo "test tools: $policy is there and decides whether the service of a package is started"
    return
  fi
  trap allow_services EXIT
  trap 'exit 130' INT TERM HUP
  policy_is_ours=yes
  if ! printf '#!/bin/sh\nexit 101\n' >"$policy" || ! chmod 755 "$policy"; then
    echo "test tools: $policy could not be written; the service of a package may be started"
  fi
}

allow_services() {
  if [ "$policy_is_ours" = yes ]; then
    rm -f "$policy"
    policy_is_ours=no
  fi
}

install_package() {
  local package=$1
  echo "test tools: $package is missing: installing the package"
  if ! apt-get install -y -qq --no-install-recommends "$package" >/dev/null; then
    echo "test tools: $package could not be installed; the tests that need it are skipped"
  elif [ "$package" != redis-server ]; then
    echo "test tools: $package installed"
  elif update-rc.d "$package" disable >/dev/null 2>&1; then
    echo "test tools: $package installed, its service disabled"
  else
    echo "test tools: $package installed; its service could not be disabled"
  fi
}

install_packages() {
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "test tools: missing: $*; there is no apt-get here: install Redis 7 or later and Chromium by hand; until then the tests that need them are skipped"
    return
  fi
  if [ "$(id -u)" -ne 0 ]; then
    echo "test tools: missing: $*: run  sudo bash scripts/install-test-tools.sh  (starts no service); until then the tests that need them are skipped"
    return
  fi
  export DEBIAN_FRONTEND=noninteractive
  if ! apt-get update -qq; then
    echo 'test tools: the package lists could not be fetched; trying with those that are there'
  fi
  forbid_services
  local package
  for package in "$@"; do
    install_package "$package"
  done
  allow_services
}

if [ "${#missing[@]}" -gt 0 ]; then
  install_packages "${missing[@]}"
fi
exit 0
