# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The service under the real systemd: does it start, restart, reload and stop, with the sandbox,
# credentials and watchdog of its unit?
since=now
said() { journalctl -u welcomed --no-pager -o cat --since "$since" | grep -q "$1"; }
state_is() {
  [[ $(mosquitto_sub -h 127.0.0.1 -t 'welcome/v1/demo/aroma-1/box-1/state' -C 1 -W 5 |
    jq -r .state) == "$1" ]]
}
starts() { within 180 is ActiveState active; }
answers() { welcomectl status --json | jq -e . >/dev/null; }
measures() { welcomectl metrics | grep -q '^welcomed_link_up{link="floor"} 1$'; }
unprivileged() {
  [[ $(stat -c %U "/proc/$(main_pid)") == welcomed ]] &&
    grep -q '^CapEff:\s*0000000000000000$' "/proc/$(main_pid)/status" &&
    grep -q '^NoNewPrivs:\s*1$' "/proc/$(main_pid)/status"
}
private_state() { [[ $(stat -c '%U %a' /var/lib/welcomed) == "welcomed 700" ]]; }
no_core() { grep -q '^Max core file size *0 ' "/proc/$(main_pid)/limits"; }
reloads() {
  local pid
  pid=$(main_pid)
  systemctl reload welcomed && within 20 is ActiveState active && [[ $(main_pid) == "$pid" ]]
}
survives_kill() {
  local pid
  pid=$(main_pid)
  kill -KILL "$pid"
  within 60 restarted_since "$pid"
}
survives_hang() {
  local pid
  pid=$(main_pid)
  kill -STOP "$pid"
  within 120 restarted_since "$pid"
}
stops_cleanly() {
  systemctl stop welcomed && is Result success && within 10 state_is stopped
}
refuses_wrong_key() {
  printf '[box]\ncolour = red\n' >/etc/welcomed/conf.d/zz.conf
  since=$(date '+%F %T')
  systemctl start welcomed 2>/dev/null
  sleep 5
  local restarts
  restarts=$(systemctl show -P NRestarts welcomed)
  rm /etc/welcomed/conf.d/zz.conf
  is ExecMainStatus 2 && ((restarts == 0)) && said 'zz.conf:2'
}
names_missing_secret() {
  mv /etc/credstore/welcomed.box-key /run/
  systemctl reset-failed welcomed
  since=$(date '+%F %T')
  systemctl start welcomed 2>/dev/null
  sleep 3
  mv /run/welcomed.box-key /etc/credstore/
  systemctl stop welcomed
  said 'box-key'
}
starts_again() {
  systemctl reset-failed welcomed
  systemctl start welcomed && within 20 state_is online
}

check "starts at boot and says so" starts
check "answers welcomectl" answers
check "gives metrics" within 10 measures
check "says online on the broker" within 30 state_is online
check "runs without privileges" unprivileged
check "keeps its state to itself" private_state
check "leaves no core dump" no_core
check "is exposed to less than 2.0 of 10" exposed_less_than 2.0
check "knows no time that nobody has said" shows '.clock.quality == "unknown"'
check "takes a technician's word for the time" trusts_the_clock
check "reloads without a new process" reloads
check "comes back after SIGKILL" survives_kill
check "still has the technician's word" shows '.clock.source == "technician"'
check "comes back when it hangs" survives_hang
check "stops cleanly and says so on the broker" stops_cleanly
check "refuses an unknown key once, with file and line" refuses_wrong_key
check "names the secret that is missing" names_missing_secret
check "starts again after all that" starts_again
