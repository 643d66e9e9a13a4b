# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2016
# Updates that head office hands out and the box fetches by itself: one that is good, with the plug pulled while it is
# fetched and while it is written; one that is worse, which stops; one that is lower.
crm() { build/release/bin/welcome-crm -d "$work/office/crm.db" "$@"; }
door=$(jq -r .door "$work/office/office.json")
image_of_box() { crm --json fleet | jq -r ".[] | select(.box == \"box-7\").image.$1"; }
# hands_out FILE VERSION [OPTION…]
hands_out() {
  local file=$1 version=$2
  shift 2
  crm fleet release add "$file" --folder "$work/office/releases" >>"$work/log" || return 1
  crm fleet update --stage 100% --release "$version" --door "$door" "$@" >>"$work/log"
}
is_at() { [[ $(image_of_box step) == "$1" ]]; }
# A card that was cut off is up again, whatever it does then.
plug_again() {
  pull_plug
  plug_in
  within 400 box true
}
made_again() {
  release=$1 bundle "$image/root-amd64.squashfs" "$work/next.raucb"
}
knows_that_it_is_an_image() { within 120 is_at idle; }
waits_for_the_night() {
  made_again 9.1.0 && hands_out "$work/next.raucb" 9.1.0 && within 600 is_at waiting || return 1
  # Unless it is night at the shop just now: then it is installed at once.
  [[ -n $(box 'ls /data/update') ]]
}
comes_by_itself() {
  local before
  before=$(slot)
  crm fleet update --stage 100% --release 9.1.0 --door "$door" --now >>"$work/log"
  local began=$SECONDS
  within 900 is_at "done" || return 1
  figure "from the word to well in the other slot: $((SECONDS - began)) s"
  hang_up
  up && [[ $(slot) != "$before" && -z $(box 'ls /data/update/*.raucb 2>/dev/null') ]]
}
comes_through_cuts() {
  made_again 9.2.0 && hands_out "$work/next.raucb" 9.2.0 --now || return 1
  within 300 is_at fetching && sleep 3 && plug_again || return 1
  within 600 is_at installing && sleep 5 && plug_again || return 1
  within 1200 is_at "done"
}
goes_back_and_stops() {
  local before
  before=$(slot)
  release=9.3.0 worse_system && hands_out "$work/worse.raucb" 9.3.0 --now || return 1
  within 1800 is_at back || return 1
  hang_up
  up && [[ $(slot) == "$before" ]] && crm fleet update | grep 'stopped: aroma-1/box-7 went back' >/dev/null
}
refuses_a_lower_one() {
  made_again 0.0.1 && hands_out "$work/next.raucb" 0.0.1 --now && within 300 is_at refused
}
runs_as_nobody_else() { box 'systemctl show -P CapabilityBoundingSet welcome-fetch' | grep -x cap_dac_read_search >/dev/null; }

[[ $(type -t worse_system) == function ]] || eval "$(sed -n '/^worse_system()/,/^}/p' tests/vm/image.d/bad.sh)"
check "head office sees that it is an image, and which" knows_that_it_is_an_image
check "what head office hands out is fetched, and waits for the night" waits_for_the_night
check "at once, when head office says so, and it is well" comes_by_itself
check "comes through a pulled plug, fetched and written" comes_through_cuts
check "one that is worse goes back, and head office stops it" goes_back_and_stops
check "a lower version is refused" refuses_a_lower_one
check "what installs it may read, and no more" runs_as_nobody_else
