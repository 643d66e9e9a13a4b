# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The radio on a real kernel: welcomed takes hci0 for itself over the user channel, while
# vm-controller plays the adapter behind /dev/vhci, stumbles and is pulled out.
# The controller's own stop-watch: from the plug, the answer or the error to scanning again.
scans_again_within_ms() {
  within $(($2 / 1000 + 15)) adapter_is '.scan_again_ms != null'
  local took
  took=$(adapter .scan_again_ms)
  figure "$1: scans again after $took ms"
  [[ $took != null ]] && ((took <= $2)) && within 10 hears
}

as_the_guide_says() {
  configure radio source=hci ibeacon=b9407f30-f5f8-466e-aff9-25556b57fe6d:1:2 advertise_eid=yes
  give_radio_capability
  restart
}
one_capability() {
  [[ $(stat -c %U "/proc/$(main_pid)") == welcomed ]] &&
    grep -q '^CapEff:\s*0000000000001000$' "/proc/$(main_pid)/status"
}
waits_for_an_adapter() { within 10 shows '.radio.source == "recovering" and .radio.detail != ""'; }
scans_as_it_should() { adapter_is '.scanning and .passive and .extended and (.filters_duplicates | not)'; }
advertises() { within 20 adapter_is '.scanning and .advertising and .adverts >= 2'; }
knows_its_people() {
  open_crm && within 20 shows '.radio.identified > 0'
}

# 2,000 a second for ten seconds, one report an event as controllers do it.
loses_none() {
  local sent0 heard0 dropped0 known0 cpu0 began took
  tell rate 0
  sleep 1
  sent0=$(adapter .sent) heard0=$(heard) dropped0=$(status .inbox.sensor_dropped)
  known0=$(status .radio.identified) cpu0=$(cpu_ms)
  began=$(now_ms)
  tell count 20000
  tell rate 2000
  sleep 9
  within 60 adapter_is ".rate == 0"
  took=$(($(now_ms) - began))
  local cpu=$(($(cpu_ms) - cpu0))
  sleep 1
  local sent=$(($(adapter .sent) - sent0)) heard=$(($(heard) - heard0))
  local dropped=$(($(status .inbox.sensor_dropped) - dropped0))
  figure "2,000 reports a second: sent $sent in $took ms, heard $heard, lost $((sent - heard))," \
    "dropped in the inbox $dropped, own identities $(($(status .radio.identified) - known0))," \
    "processor time $cpu ms"
  tell rate 200
  ((sent == 20000 && heard == sent && dropped == 0 && took < 13000))
}
cpu_ms() {
  local -a fields
  read -ra fields <"/proc/$(main_pid)/stat"
  echo $(((fields[13] + fields[14]) * 10))
}

# It has heard 200 a second for ten seconds, so it knows what to expect.
warmed_up() { hears && sleep 12; }
notices_a_stall() {
  warmed_up
  tell silent
  local took
  took=$(ms_until 15 shows '.radio.source == "recovering"') || return 1
  figure "the controller falls silent: in status after $took ms"
  sleep 10 # long enough for its resets to be in vain
  tell answer
}
notices_deafness() {
  warmed_up
  tell deaf
  scans_again_within_ms "deaf, but answering" 10000
}
is_pulled_out() {
  tell unplug
  local took
  took=$(ms_until 10 shows '.radio.source == "recovering"') || return 1
  figure "pulled out: in status after $took ms"
  ((took <= 3000)) && sleep 6
}
comes_back() {
  tell "$1"
  scans_again_within_ms "$2" 5000
}
back_at_once() {
  tell unplug
  tell plug
  scans_again_within_ms "out and in again at once" 5000 && adapter_is '.adapter == 0'
}
an_old_controller() {
  tell legacy
  tell unplug
  sleep 1
  tell plug
  scans_again_within_ms "a Bluetooth 4 adapter" 5000 &&
    adapter_is '.scanning and .passive and .advertising and (.extended | not)'
  local verdict=$?
  tell extended
  return $verdict
}
says_which_there_are() {
  configure radio source=hci device=00:1A:7D:DA:71:13
  restart
  within 15 shows '.radio.detail == "there is no adapter 00:1A:7D:DA:71:13; there is hci0 (00:55:B0:0D:EE:01)"'
}
by_its_address() {
  configure radio source=hci device=00:55:b0:0d:ee:01 ibeacon=b9407f30-f5f8-466e-aff9-25556b57fe6d:1:2 advertise_eid=yes
  restart
  within 20 hears
}
after_sigkill() {
  local pid
  pid=$(main_pid)
  kill -KILL "$pid"
  within 60 restarted_since "$pid" && within 30 hears && within 20 adapter_is '.advertising'
}
quiet_journal() { ! journalctl -u welcomed --no-pager -o cat | grep -qiE '5a:?11:?22:?33|c3:00:00'; }

# rfkill, as a tool or a key on the machine does it; root's half switches it on, the daemon holds what it held.
is_switched_on_again() {
  local soft took
  soft=$(echo /sys/class/bluetooth/hci*/rfkill*/soft)
  echo 1 >"$soft" || return 1
  within 20 shows '.radio.source == "recovering"' || return 1
  took=$(ms_until 180 shows '.radio.source == "running"') || return 1
  figure "switched off: on again after $took ms"
  [[ $(<"$soft") == 0 ]] && journalctl -u welcome-radio --no-pager -o cat | grep 'is switched on' >/dev/null && one_capability
}
check "runs with one capability for the radio" as_the_guide_says
check "holds that capability and no other" one_capability
check "is exposed to less than 2.0 of 10 with the radio" exposed_less_than 2.0
check "waits for an adapter and says so" waits_for_an_adapter
check "takes an adapter that the kernel has set up" plug_adapter
check "hears it within 5 s" scans_again_within_ms "plugged in" 5000
check "scans passively, extended, without the duplicate filter" scans_as_it_should
check "advertises iBeacon and EID by turns meanwhile" advertises
check "tells its own people from strangers" knows_its_people
check "loses none of 2,000 reports a second" loses_none
check "notices a controller that stalls" notices_a_stall
check "hears again within 5 s of the controller's answering" scans_again_within_ms "it answers again" 5000
check "resets a controller that is deaf" notices_deafness
check "recovers from a hardware error" comes_back error "hardware error"
check "notices that the adapter is pulled out" is_pulled_out
check "hears again within 5 s of the adapter's return" comes_back plug "plugged in again"
check "hears after a loose contact" back_at_once
check "takes a Bluetooth 4 adapter" an_old_controller
check "says which adapters there are where an address is not" says_which_there_are
check "takes an adapter by its address" by_its_address
check "is switched on again when somebody has switched it off" is_switched_on_again
check "takes the adapter again after SIGKILL" after_sigkill
check "writes no address into the journal" quiet_journal
tell unplug
rm /etc/welcomed/conf.d/radio.conf
