#!/bin/sh
# Checks the lock (lock.pml) in spin: each case with what it must show. Small cases take seconds;
# BIG=1 adds those that take minutes and some GiB of memory. Needs spin and a C compiler.
# Exit code 1 when an outcome is not the one expected.
set -u
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM
cd "$folder" || exit 1
failed=0

# check EXPECTED NAME -DX=Y...: EXPECTED is 'holds', or what spin says is violated.
check() {
  expected=$1
  name=$2
  shift 2
  if ! spin -a "$@" "$here/${model:-lock.pml}" >spin.out 2>&1; then
    cat spin.out
    exit 1
  fi
  cc -O2 -DSAFETY -DCOLLAPSE -DVECTORSZ=2048 -DMEMLIM=12000 -w -o pan pan.c || exit 1
  ./pan -m2000000 -w24 >pan.out 2>&1
  found=$(sed -n 's/^pan:1: //p' pan.out | head -1)
  case $(grep -o 'errors: [0-9]*' pan.out) in
    'errors: 0') found=holds ;;
    '') found="no result: $(tail -1 pan.out)" ;;
  esac
  if grep -q 'search not completed' pan.out && [ "$found" = holds ]; then
    found='no result: search not completed'
  fi
  states=$(sed -n 's/ *\([0-9.e+]*\) states, stored.*/\1/p' pan.out)
  case $found in
    "$expected"*) verdict=ok ;;
    *)
      verdict=WRONG
      failed=1
      ;;
  esac
  echo "$verdict | $name | $found | $states states"
}

check holds 'nobody dies: no wake-up is lost without any limit' \
  -DDEATHS=0 -DTIMED=0 -DROUNDS=2
check 'invalid end state' 'the same, waiters bit not kept by who has waited' \
  -DDEATHS=0 -DTIMED=0 -DROUNDS=3 -DKEEPW=0
check 'assertion violated' 'the word names a slot, which has another owner by now' \
  -DOWNER=0 -DNR=1
check 'invalid end state' 'the limit is used only to look at the owner' \
  -DTIMED=1
check holds 'one death' \
  -DROUNDS=2 -DNT=2
check holds 'two deaths' \
  -DDEATHS=2
check holds 'one death, takeover without the waiters bit: limits make up for it' \
  -DTAKEW=0
check holds 'two deaths, a repair that fails leaves the lock abandoned' \
  -DDEATHS=2 -DFAILS=1
check 'invalid end state' 'a repair that fails keeps the lock' \
  -DFAILS=1 -DRETURNS=0

check 'invalid end state' 'handed over with nobody asleep, and not opened: a thread with no limit waits for ever' \
  -DDEATHS=0 -DTIMED=0 -DROUNDS=2 -DCALLS=0
check 'invalid end state' 'the same, opened, but one that fell asleep in between is not woken' \
  -DDEATHS=0 -DTIMED=0 -DROUNDS=2 -DCALLS=1
check holds 'two deaths, handed over or not, limits alone make up for lost calls' \
  -DDEATHS=2 -DCALLS=0
model=names.pml
check holds 'names: one death, nobody comes twice' -DDEATHS=1 -DAGAIN=0
check 'assertion violated' 'names: a start time that an earlier thread has left counts' -DTAGGED=0
check 'assertion violated' 'names: a missing name is believed without the count of comings' -DCOUNTED=0
check 'assertion violated' 'names: a failed takeover puts the dead name back' -DBACK=1
check 'assertion violated' 'names: a dead name is taken out while a lock has it' -DHELD=0
model=lock.pml

if [ "${BIG:-}" = 1 ]; then
  check holds 'nobody dies, three rounds' \
    -DDEATHS=0 -DTIMED=0 -DROUNDS=3
  check holds 'two deaths, two rounds' \
    -DDEATHS=2 -DROUNDS=2
  check holds 'one death, a fourth thread reuses a slot' \
    -DNR=1
  check holds 'two deaths, a fourth thread reuses a slot' \
    -DDEATHS=2 -DNR=1
fi
exit "$failed"
