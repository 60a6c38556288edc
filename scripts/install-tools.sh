#!/usr/bin/env bash
# Installs what the benchmarks can use and npm does not bring: perf, valgrind, h2load, wrk.
#
# Only on systems with apt, and only as root. Never fails its caller: without these tools the benchmarks run as
# well and say what they could not measure.
set -u

# package, command that it brings, what the benchmarks do with it
tools=(
  'linux-perf perf counts instructions where the processor lets it'
  'valgrind valgrind counts instructions where perf cannot'
  'nghttp2-client h2load constant-rate load for comparisons by hand'
  'wrk wrk closed-loop load for comparisons by hand'
)

missing=()
for tool in "${tools[@]}"; do
  read -r package command use <<<"$tool"
  if command -v "$command" >/dev/null 2>&1; then
    echo "$command: there"
  else
    echo "$command: missing ($use)"
    missing+=("$package")
  fi
done

if [ "${#missing[@]}" -eq 0 ]; then
  exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
  echo "no apt-get here: install by hand what ${missing[*]} stand for"
  exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "not root: run  sudo apt-get install ${missing[*]}"
  exit 0
fi

export DEBIAN_FRONTEND=noninteractive
if ! apt-get update -qq; then
  echo 'the package lists could not be fetched; trying with those that are there'
fi
# One by one: a package that this release does not have must not keep the others away.
for package in "${missing[@]}"; do
  if apt-get install -y -qq --no-install-recommends "$package" >/dev/null; then
    echo "$package: installed"
  else
    echo "$package: could not be installed"
  fi
done
exit 0
