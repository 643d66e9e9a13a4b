# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# Out of service, as the guide says, and off the machine.
# The power is cut after the key is gone: the next start of the service ends it, and opens nothing.
resets_at_the_next_start() {
  systemctl stop welcomed
  printf '{"all":false,"state_dir":"/var/lib/welcomed"}\n' >/etc/welcomed/reset
  ! systemctl start welcomed 2>/dev/null
  [[ ! -e /etc/welcomed/reset && $(systemctl is-enabled welcomed) == disabled ]] &&
    ! systemctl is-active -q welcomed && has_no_key
}
resets() {
  (umask 077 && openssl rand -hex 32 >/etc/credstore/welcomed.box-key)
  systemctl enable --now welcomed && welcomectl factory-reset --yes && ! systemctl is-active -q welcomed &&
    [[ $(systemctl is-enabled welcomed) == disabled && -e /etc/welcomed/welcomed.conf ]]
}
has_no_key() {
  [[ -z $(ls /etc/credstore/welcomed.* /etc/credstore.encrypted/welcomed.* 2>/dev/null) &&
    -z $(ls -A /var/lib/welcomed) ]]
}
# Also one that runs.
removes() {
  (umask 077 && openssl rand -hex 32 >/etc/credstore/welcomed.box-key)
  systemctl start welcomed && apt-get -q remove -y welcomed 'welcome-*' &&
    ! pgrep -x welcomed && ! pgrep -f /etc/welcome-floor
}
keeps_what_is_configured() { [[ -e /etc/welcomed/welcomed.conf && -e /etc/welcome-floor/passwords ]]; }
nginx_goes_on() { systemctl is-active -q nginx && nginx -t -q && ! curl -ksS -o /dev/null https://127.0.0.1/ 2>/dev/null; }
purges() { apt-get -q purge -y welcomed 'welcome-*'; }
# Accounts of the system stay, as is Debian's custom: a number is not given to somebody else.
leaves_nothing() {
  local left
  left=$(find / -xdev \( -path /proc -o -path /sys -o -path /media -o -path /usr/local -o -path /var/cache/apt \
    -o -path /var/log -o -path /root -o -path /tmp -o -path /run \) -prune -o \( -name '*welcome*' -print \))
  [[ -z $left ]] || figure "left: $left"
  [[ -z $left && ! -e /etc/credstore && ! -e /etc/credstore.encrypted ]]
}

check "ends a reset that was cut off before it opens anything" resets_at_the_next_start
check "is reset" resets
check "leaves no key, sealed or not" has_no_key
check "is removed" removes
check "keeps what is configured until it is purged" keeps_what_is_configured
check "leaves nginx to others" nginx_goes_on
check "is purged" purges
check "leaves nothing" leaves_nothing
