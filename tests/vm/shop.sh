# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# All of it at once, as in a shop: Paul's phone through the kernel's Bluetooth wakes the kernel's
# camera, which sees Paul; the staff are told; he leaves, and the camera is closed.
opens_the_shop() {
  configure radio source=hci
  give_radio_capability
  make_desk && plug_adapter && plays && use_camera "$desk" nearby && within 20 hears &&
    enrol_paul
}
asleep() { shows '.cameras.main.awake | not' && [[ $(descriptors "$desk") == 0 ]]; }
closed_while_nobody_is_near() {
  sleep 5
  asleep && [[ $(frames) == 0 ]] && shows '.radio.reports > 500'
}
wakes_for_paul() {
  tell phone 1
  local took
  took=$(ms_until 30 looks) || return 1
  figure "Paul's phone on the air: the camera looks after $took ms"
}
# What a tablet gets.
prompt() { mosquitto_sub -h 127.0.0.1 -t 'welcome/v1/floor/prompt/+' -C 1 -W 5; }
knows_paul() { prompt | jq -e '.greet.name == "Paul Moreau" and .by == ["phone", "face"]'; }
tells_the_staff() {
  local took
  took=$(ms_until 60 knows_paul) || return 1
  figure "by phone and face on the staff's tablet after another $took ms"
}
closes_when_he_leaves() {
  tell phone 0
  # A face carries a visit on without a phone: nobody must be left in the picture.
  plays room
  local took
  took=$(ms_until 60 asleep) || return 1
  figure "Paul is gone, and so is his phone: the camera is closed after $took ms"
}
no_name_in_the_journal() {
  ! journalctl -u welcomed --no-pager -o cat | grep -qiE 'paul|moreau'
}

check "opens the shop" opens_the_shop
check "keeps the camera closed while nobody is near" closed_while_nobody_is_near
check "opens it when Paul's phone is near" wakes_for_paul
check "tells the staff" tells_the_staff
check "closes it when he has left" closes_when_he_leaves
check "writes no name into the journal" no_name_in_the_journal
tell unplug
systemctl stop vm-camera
rm /etc/welcomed/conf.d/{radio,camera}.conf
