#!/usr/bin/env bash
# Installs what the tests need and `npm ci` does not bring: Redis. Run by `npm test` before the tests.
#
# Only on systems with apt, and only as root; keeps the service from being started, since tests start their own. Says
# nothing when all is there. Never fails its caller: without Redis the tests that need it are skipped by name.
set -u

# Servers lie in sbin folders, which are on root's PATH only.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
package=redis-server

has_redis() {
  command -v redis-server >/dev/null 2>&1
}

# Debian starts a service when its package is installed, unless this script of the administrator's forbids it
# (Debian Policy, section 9.3.3; invoke-rc.d(8)): 101 is its word for that. One that is there stays as it is.
policy=/usr/sbin/policy-rc.d
policy_is_ours=no

forbid_services() {
  if [ -e "$policy" ] || [ -L "$policy" ]; then
    echo "test tools: $policy is there and decides whether the service of $package is started"
    return
  fi
  trap allow_services EXIT
  trap 'exit 130' INT TERM HUP
  policy_is_ours=yes
  if ! printf '#!/bin/sh\nexit 101\n' >"$policy" || ! chmod 755 "$policy"; then
    echo "test tools: $policy could not be written; the service of $package may be started"
  fi
}

allow_services() {
  if [ "$policy_is_ours" = yes ]; then
    rm -f "$policy"
    policy_is_ours=no
  fi
}

install_package() {
  if ! command -v apt-get >/dev/null 2>&1; then
    echo 'test tools: redis-server is missing, and there is no apt-get here: install Redis 7 or later by hand; until then the tests that need it are skipped'
    return
  fi
  if [ "$(id -u)" -ne 0 ]; then
    echo "test tools: redis-server is missing: run  sudo bash scripts/install-test-tools.sh  (starts no service); until then the tests that need it are skipped"
    return
  fi
  echo "test tools: redis-server is missing: installing the package $package"
  export DEBIAN_FRONTEND=noninteractive
  if ! apt-get update -qq; then
    echo 'test tools: the package lists could not be fetched; trying with those that are there'
  fi
  forbid_services
  if ! apt-get install -y -qq --no-install-recommends "$package" >/dev/null; then
    echo "test tools: $package could not be installed; the tests that need it are skipped"
  elif update-rc.d "$package" disable >/dev/null 2>&1; then
    echo "test tools: $package installed, its service disabled"
  else
    echo "test tools: $package installed; its service could not be disabled"
  fi
  allow_services
}

if ! has_redis; then
  install_package
fi
exit 0
