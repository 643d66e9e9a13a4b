# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# From nothing to "ready", by docs/technician.md.
installs() { (cd /media/stick && apt_install ./welcomed_*.deb ./welcome-*.deb); }
nothing_failed() { [[ -z $(systemctl --failed --plain --no-legend) ]]; }
# Nothing but what the guide names: the page, nginx's own site, Debian's mosquitto, the floor's broker.
listens_as_described() {
  local open
  open=$(awk '$4 == "0A" { sub(".*:", "", $2); print $2 }' /proc/net/tcp /proc/net/tcp6 | sort -u |
    while read -r port; do echo $((16#$port)); done | sort -n | tr '\n' ' ')
  figure "open ports: $open"
  [[ $open == "80 443 1883 1884 1885 " ]]
}
waits_for_its_technician() { [[ $(systemctl is-enabled welcomed) == disabled ]] && ! systemctl is-active -q welcomed; }
secrets_are_private() { [[ $(stat -c '%U %a' /etc/credstore) == "root 700" && -d /etc/credstore.encrypted ]]; }
head_office() {
  welcome-crm --database /run/crm.db init --tenant demo --controller "Aroma Ltd" >/dev/null &&
    welcome-crm --database /run/crm.db sign-keys >/etc/welcomed/crm-keys
}
configures() {
  cat >>/etc/welcomed/welcomed.conf <<'CONF'
[box]
tenant = demo
store = aroma-1
id = box-1
[uplink]
host = broker.example
user = demo/aroma-1/box-1
tls_ca = /etc/ssl/certs/ca-certificates.crt
[floor]
user = box-1
[consent]
crm_keys = /etc/welcomed/crm-keys
CONF
  (
    umask 077
    openssl rand -hex 32 >/etc/credstore/welcomed.box-key
    printf '%s' "of head office" >/etc/credstore/welcomed.uplink-password
  )
}
gets_an_account() {
  welcomectl floor add box-1 && [[ $(stat -c '%U %a' /etc/credstore/welcomed.floor-password) == "root 600" ]]
}
config_is_good() { welcomectl config check; }
is_ready() {
  local began
  began=$(now_ms)
  systemctl enable --now welcomed || return 1
  local took=$(($(now_ms) - began))
  figure "systemctl enable --now welcomed: ready after $took ms"
  ((took < 5000)) && systemctl is-active -q welcomed
}
answers() { welcomectl status >/dev/null; }
# There is no head office here, no radio and no camera; what there is works.
doctor_knows() {
  local began said
  began=$(now_ms)
  said=$(welcomectl doctor --json)
  local took=$(($(now_ms) - began))
  figure "welcomectl doctor: $took ms"
  ((took < 5000)) && jq -e 'INDEX(.light) | map_values(.lamp) | .line == "red" and .floor == "yellow"
    and .store == "green" and .radio == "off" and .camera == "off"' <<<"$said" >/dev/null
}
group_may_ask() {
  useradd -G welcomed tina && runuser -u tina -- welcomectl status >/dev/null
}
exposed_less_than_2() {
  local is
  is=$(systemd-analyze security --no-pager "$1" | sed -n 's/.*exposure level.*: \([0-9.]*\) .*/\1/p')
  figure "systemd-analyze security $1: $is"
  [[ -n $is ]] && (($(tr -d . <<<"$is") < 20))
}
manual_is_there() {
  for page in man8/welcomed.8 man8/welcomectl.8 man8/welcome-crm.8 man5/welcomed.conf.5; do
    [[ -e /usr/share/man/$page.gz ]] || return 1
  done
}
# As a shell does it: `welcomectl tablet <Tab>`.
completes() {
  (
    set +u
    # shellcheck source=/dev/null
    source /usr/share/bash-completion/bash_completion
    COMP_LINE="${*:2} "
    COMP_POINT=${#COMP_LINE}
    COMP_WORDS=("${@:2}" "") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    # shellcheck source=/dev/null
    source "/usr/share/bash-completion/completions/$2"
    "_${2/-/_}"
    [[ " ${COMPREPLY[*]} " == *" $1 "* ]]
  )
}

before=$(now_ms)
check "installs from the stick" installs
figure "installed in $(($(now_ms) - before)) ms"
check "leaves no unit failed" nothing_failed
check "listens on what the guide names" listens_as_described
check "waits for its technician" waits_for_its_technician
check "has a private place for secrets" secrets_are_private
check "head office gives its keys" head_office
check "takes the technician's words" configures
check "gets an account at the floor's broker" gets_an_account
check "finds the configuration good" config_is_good
check "is ready within 5 s" is_ready
check "answers welcomectl" answers
check "answers whom its group has" group_may_ask
check "says the line of the box to the tablets is up" within 10 shows '.links.floor.state == "up"'
check "the doctor finds what is not there, and nothing else" doctor_knows
check "welcomed is exposed to less than 2.0 of 10" exposed_less_than_2 welcomed
check "welcome-floor is exposed to less than 2.0 of 10" exposed_less_than_2 welcome-floor
check "has its manual" manual_is_there
check "completes welcomectl" completes add welcomectl tablet
check "completes welcome-crm" completes admit welcome-crm boxes
