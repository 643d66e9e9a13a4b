# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# An upgrade keeps what is the technician's, and a way back there is.
conf=/etc/welcomed/welcomed.conf
version() { dpkg-query -W -f '${Version}' welcomed; }
installs_of() { (cd "$1" && apt_install --reinstall "${@:2}" ./welcomed_*.deb ./welcome-*.deb); }
is_up() { systemctl is-active -q welcomed welcome-floor nginx && within 60 shows '.links.floor.state == "up"'; }
is_ours() { grep -q '^id = box-1$' $conf && [[ $(sha256sum <$conf) == "$conf_before" ]]; }
reinstalls() { installs_of /media/stick && is_ours && is_up; }
upgrades() { installs_of /media/newer && [[ $(version) == 99.0 ]] && is_ours && is_up; }
shows_the_new_pattern() { grep -q '^# of 99.0$' $conf.dpkg-dist; }
was_restarted() { [[ $(systemctl show -P MainPID welcomed) != "$pid_before" ]]; }
accounts_stay() { [[ $(sha256sum </etc/welcome-floor/passwords) == "$accounts_before" ]]; }
certificate_stays() { [[ $(sha256sum </etc/welcome-floor/tls/floor.crt) == "$certificate_before" ]]; }
goes_back() {
  installs_of /media/stick --allow-downgrades && [[ $(version) == "$version_before" ]] && is_ours && is_up
}
is_the_same_box_still() { [[ $(box_key) == "$key_now" ]]; }

version_before=$(version)
conf_before=$(sha256sum <$conf)
accounts_before=$(sha256sum </etc/welcome-floor/passwords)
certificate_before=$(sha256sum </etc/welcome-floor/tls/floor.crt)
key_now=$(box_key)
check "a reinstallation keeps the configuration" reinstalls
pid_before=$(systemctl show -P MainPID welcomed)
check "an upgrade keeps the configuration" upgrades
check "puts the new pattern beside it" shows_the_new_pattern
check "restarts what ran" was_restarted
check "keeps accounts" accounts_stay
check "keeps the certificate" certificate_stays
check "goes back to the version before" goes_back
check "is the same box all the way" is_the_same_box_still
