# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# Out of service, as the guide says.
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

check "ends a reset that was cut off before it opens anything" resets_at_the_next_start
check "is reset" resets
check "leaves no key, sealed or not" has_no_key
