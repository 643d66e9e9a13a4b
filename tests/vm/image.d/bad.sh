# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2016
# Updates that are signed and bad: one does not start at all, one starts and is worse than before.
goes_back_from() {
  local before id
  before=$(slot)
  id=$(boot_id)
  to_box "$1" /data/update.raucb && box 'welcome-update --later /data/update.raucb' >>"$work/log" 2>&1 || return 1
  local began=$SECONDS
  box 'systemctl reboot'
  hang_up
  up_again "$id" || return 1
  figure "back in slot $(slot) after $((SECONDS - began)) s"
  [[ $(slot) == "$before" ]]
}
says_so() { box 'rauc status --output-format=json' | jq -e '[.slots[][] | select(.class == "rootfs") | .boot_status] | sort == ["bad", "good"]' >/dev/null; }
no_system() {
  head -c 4194304 /dev/urandom >"$work/noise"
  bundle "$work/noise" "$work/dead.raucb"
}
# The same system, and its daemon ends at once.
worse_system() {
  local tree=$work/worse-tree
  rm -rf "$tree" "$work/worse"
  cp -a "$image/tree-amd64" "$tree"
  printf '#!/bin/sh\nexit 1\n' >"$tree/usr/bin/welcomed"
  mksquashfs "$tree" "$work/worse" -comp gzip -Xcompression-level 1 -noappend -quiet -no-progress -b 256K >>"$work/log" 2>&1
  rm -rf "$tree"
  bundle "$work/worse" "$work/worse.raucb"
}
check "its daemon runs" box 'systemctl is-active welcomed'
no_system
check "goes back from an update that does not start" goes_back_from "$work/dead.raucb"
check "and calls it bad" says_so
worse_system
check "goes back from an update whose daemon does not run" goes_back_from "$work/worse.raucb"
check "and calls that bad, too" says_so
check "its daemon runs again" box 'systemctl is-active welcomed'
