# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2016
# An update as the technician gives it, and what stays.
box_has_kept() { box 'grep -q "^kept = 1" /etc/welcomed/conf.d/kept && test -e /var/lib/welcome-image/kept'; }
leave_something() { box 'echo "kept = 1" >/etc/welcomed/conf.d/kept && touch /var/lib/welcome-image/kept && sync'; }
updates() {
  local id before
  before=$(slot)
  id=$(boot_id)
  to_box "$image/welcome-amd64.raucb" /data/update.raucb || return 1
  local began=$SECONDS
  box 'welcome-update --later /data/update.raucb' >>"$work/log" || return 1
  figure "written to the other slot in $((SECONDS - began)) s"
  began=$SECONDS
  box 'systemctl reboot'
  hang_up
  up_again "$id" || return 1
  figure "down and up again, known to be well: $((SECONDS - began)) s"
  [[ $(slot) != "$before" ]]
}
both_are_good() { box 'grub-editenv /boot/efi/grub/grubenv list' | grep -c '_GOOD=1' | grep -x 2 >/dev/null; }
# What docs/image.md says besides.
tells_what_it_is() {
  box 'welcome-update --status' | grep 'boot status: .*good' >/dev/null &&
    box 'journalctl -u welcome-health --no-pager -o cat' | grep 'as well as before the update' >/dev/null &&
    box 'find /data/etc -type f' | grep '/data/etc/welcomed/conf.d/kept' >/dev/null
}
goes_back_by_hand() {
  local id before
  before=$(slot)
  id=$(boot_id)
  box 'rauc status mark-active other && systemctl reboot'
  hang_up
  up_again "$id" && [[ $(slot) != "$before" ]] && box_has_kept
}
help_helps() { box 'welcome-update --help' | grep 'goes back by itself' >/dev/null; }

check "leaves a setting and a file behind" leave_something
check "welcome-update says what it does" help_helps
check "an update is in the other slot, and good" updates
check "both slots are good" both_are_good
check "setting and file are there" box_has_kept
check "tells which slot runs, what was decided, and what differs from the image" tells_what_it_is
check "goes back by hand, and keeps all of it" goes_back_by_hand
