# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# Off the machine.
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

check "is removed" removes
check "keeps what is configured until it is purged" keeps_what_is_configured
check "leaves nginx to others" nginx_goes_on
check "is purged" purges
check "leaves nothing" leaves_nothing
