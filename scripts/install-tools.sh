#!/usr/bin/env bash
# Installs what the benchmarks can use and `npm ci` does not bring: measuring tools, load clients, and the gateways
# that umbra is compared with.
#
# Programs only on systems with apt, and only as root; keeps their services from being started. Never fails its
# caller: without these the benchmarks run as well and say what they could not measure.
set -u
cd "$(dirname "$0")/.." || exit 0

# package, command that it brings, what the benchmarks do with it
tools=(
  'linux-perf perf counts instructions where the processor lets it'
  'valgrind valgrind counts instructions where perf cannot'
  'nghttp2-client h2load constant-rate load for comparisons by hand'
  'wrk wrk drives the closed loops'
  'nginx nginx a gateway to compare with, mirroring too'
  'haproxy haproxy a gateway to compare with'
)
# Of those, nginx and haproxy bring a service of the same name.

# Servers lie in sbin folders, which are on root's PATH only.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

missing=()

find_missing() {
  local tool package command use
  for tool in "${tools[@]}"; do
    read -r package command use <<<"$tool"
    if command -v "$command" >/dev/null 2>&1; then
      echo "$command: there"
    else
      echo "$command: missing ($use)"
      missing+=("$package")
    fi
  done
}

# Debian starts a service when its package is installed, unless this script of the administrator's forbids it
# (Debian Policy, section 9.3.3; invoke-rc.d(8)): 101 is its word for that. One that is there stays as it is.
policy=/usr/sbin/policy-rc.d
policy_is_ours=no

forbid_services() {
  case " ${missing[*]} " in
    *' nginx '* | *' haproxy '*) ;;
    *) return ;;
  esac
  if [ -e "$policy" ] || [ -L "$policy" ]; then
    echo "services: $policy is there and decides whether nginx and haproxy are started"
    return
  fi
  trap allow_services EXIT
  trap 'exit 130' INT TERM HUP
  policy_is_ours=yes
  if printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"; then
    echo "services: none is started, by a temporary $policy"
  else
    echo "services: $policy could not be written; nginx and haproxy may be started"
  fi
}

allow_services() {
  if [ "$policy_is_ours" = yes ]; then
    rm -f "$policy"
    policy_is_ours=no
  fi
}

install_packages() {
  local package
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "no apt-get here: install by hand what ${missing[*]} stand for"
    return
  fi
  if [ "$(id -u)" -ne 0 ]; then
    echo "not root: run  sudo apt-get install ${missing[*]}  or this script as root, which starts no service"
    return
  fi
  export DEBIAN_FRONTEND=noninteractive
  if ! apt-get update -qq; then
    echo 'the package lists could not be fetched; trying with those that are there'
  fi
  forbid_services
  # One by one: a package that this release does not have must not keep the others away.
  for package in "${missing[@]}"; do
    if ! apt-get install -y -qq --no-install-recommends "$package" >/dev/null; then
      echo "$package: could not be installed"
    elif [ "$package" != nginx ] && [ "$package" != haproxy ]; then
      echo "$package: installed"
    elif update-rc.d "$package" disable >/dev/null 2>&1; then
      echo "$package: installed, its service disabled"
    else
      echo "$package: installed; its service could not be disabled"
    fi
  done
  allow_services
}

# The gateways written for Node. Their packages need no install scripts, so none is run.
install_node_peers() {
  if ! command -v npm >/dev/null 2>&1; then
    echo 'bench/node_modules: no npm here; later run  npm ci --prefix bench'
    return
  fi
  local options=(--ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error)
  local errors
  if ! errors=$(npm ci --prefix bench "${options[@]}" 2>&1 >/dev/null); then
    echo "bench/node_modules: could not be installed (${errors%%$'\n'*}); later run  npm ci --prefix bench"
    return
  fi
  # What root installs in somebody's checkout stays theirs.
  if [ "$(id -u)" -eq 0 ]; then
    chown -R --reference=bench/package.json bench/node_modules
  fi
  echo 'bench/node_modules: installed'
}

find_missing
if [ "${#missing[@]}" -gt 0 ]; then
  install_packages
fi
install_node_peers
exit 0
