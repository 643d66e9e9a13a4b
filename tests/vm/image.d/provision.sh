# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2016
# The box becomes the one whose link lay on the card, by itself: over TLS, with head office's CRM, door and broker
# outside of the machine.
crm() { "${WELCOME_BUILD:-build/release}/bin/welcome-crm" -d "$work/office/crm.db" "$@"; }
provisioned() { [[ $(box systemctl show -P ActiveState welcome-provision) == active ]]; }
office_sees_it() { crm --json boxes | jq -e '.[] | select(.box == "box-7") | .invitation.used_at' >/dev/null; }
lights() { box 'welcomectl doctor --json'; }
# A machine without camera and radio has neither of these red.
no_red_light() { [[ $(lights | tee -a "$work/log" | jq -r '[.[] | select(.lamp == "red").light] | join(" ")') == "" ]]; }
line_is_up() { lights | jq -e '.[] | select(.light == "line").lamp == "green"' >/dev/null; }
link_is_gone() { box '! test -e /boot/efi/welcome/link && ! test -e /var/lib/welcome-image/link'; }
key_is_sealed() { box 'test -s /etc/credstore.encrypted/welcomed.box-key && ! test -e /etc/credstore/welcomed.box-key'; }
tablet_comes_in() { box 'welcomectl tablet add bar-1 --page https://box.local/tablet/' | tee "$work/tablet" | grep 'box.local/tablet/#' >/dev/null; }
office_goes_and_comes() {
  local outage=$SECONDS
  crm --json boxes >/dev/null || return 1
  kill -STOP "$(pgrep -f "$work/office/run/mosquitto-central/mosquitto.conf")" || return 1
  within 180 line_is_down || return 1
  kill -CONT "$(pgrep -f "$work/office/run/mosquitto-central/mosquitto.conf")"
  within 120 line_is_up && figure "line down and up again in $((SECONDS - outage)) s"
}
line_is_down() { ! line_is_up; }

began_here=$SECONDS
check "becomes the box of the link by itself" within 400 provisioned
figure "after another $((SECONDS - began_here)) s"
check "head office sees that the code was used" office_sees_it
check "keeps the link nowhere" link_is_gone
check "has its key sealed" key_is_sealed
check "doctor shows no red light" within 120 no_red_light
check "takes a tablet" tablet_comes_in
check "says when head office is away, and comes back to it" office_goes_and_comes
