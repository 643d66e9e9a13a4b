# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2016
# The plug pulled at any time, also while an update is written.
comes_back() {
  pull_plug
  plug_in
  up && all_is_there
}
all_is_there() { box 'test -s /etc/ssh/authorized_keys/root && test -s /etc/welcome-floor/tls/floor.key && e2fsck -n /dev/disk/by-partlabel/data >/dev/null 2>&1; systemctl is-active nginx welcome-floor'; }
while_it_starts() {
  pull_plug
  plug_in
  sleep $((RANDOM % 60 + 5))
  comes_back
}
while_it_is_updated() {
  local before
  before=$(slot)
  (box 'welcome-update --later /data/update.raucb' >>"$work/log" 2>&1 &)
  sleep $((RANDOM % 20 + 2))
  comes_back && figure "slot $(slot), was $before"
}
check "has an update to be cut in" to_box "$image/welcome-amd64.raucb" /data/update.raucb
for ((cut = 1; cut <= cuts; cut++)); do
  case $((cut % 3)) in
    0) check "cut $cut: while it starts" while_it_starts ;;
    1) check "cut $cut: while it runs" comes_back ;;
    2) check "cut $cut: while it is updated" while_it_is_updated ;;
  esac
done
