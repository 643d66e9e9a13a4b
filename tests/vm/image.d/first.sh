# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2016
# What a fresh card is: read-only, closed, nobody's password, each its own.
read_only() { box 'grep -q " / squashfs ro" /proc/mounts && ! touch /usr/x 2>/dev/null'; }
all_well() {
  local failed
  failed=$(box systemctl --failed --no-legend --plain)
  [[ -z $failed ]] || echo "failed: $failed" >&2
  [[ -z $failed ]]
}
data_takes_the_card() { box 'test "$(df --output=size -BM /data | tail -n 1 | tr -dc 0-9)" -gt 2000'; }
# Address and port of all that listens beyond the machine itself.
listens() {
  box "ss -Hltun" | awk '{ print $1, $5 }' | grep -v -e ' 127\.' -e ' \[::1\]' -e ' fe80' -e '%lo:' |
    sed 's/ .*:/ /' | sort -u | paste -sd,
}
nothing_unnamed_listens() {
  local all allowed='^(tcp 22|tcp 443|udp 5353|udp 68|udp 546|udp [0-9]{5})$' each
  all=$(listens)
  figure "listens: $all"
  tr , '\n' <<<"$all" | while read -r each; do [[ $each =~ $allowed ]] || exit 1; done
}
filtered() { box 'nft list chain inet filter input' | grep 'policy drop' >/dev/null; }
no_passwords() { [[ -z $(box "awk -F: '\$2 !~ /^[!*]/' /etc/shadow") ]]; }
key_is_off_the_card() { box '! test -e /boot/efi/welcome/authorized_keys && test -s /etc/ssh/authorized_keys/root'; }
own_secrets() {
  box 'test -s /etc/machine-id && test -s /etc/ssh/ssh_host_ed25519_key && test -s /etc/welcome-floor/tls/floor.key' &&
    [[ ! -e build/image/tree-amd64/etc/ssh/ssh_host_ed25519_key && ! -s build/image/tree-amd64/etc/machine-id ]]
}
first_slot_is_good() { [[ $(slot) == A ]] && box 'grub-editenv /boot/efi/grub/grubenv list | grep -qx A_GOOD=1'; }
page_is_there() { box 'exec 3<>/dev/tcp/127.0.0.1/443' && box 'systemctl is-active nginx welcome-floor'; }
memory() {
  figure "memory in use: $(box "awk '/MemTotal/{t=\$2} /MemAvailable/{a=\$2} END{print int((t-a)/1024)}' /proc/meminfo") MB"
  figure "systemd: $(box systemd-analyze time | head -n 1)"
}

check "has no unit that failed" all_well
check "has a root that nobody writes to" read_only
check "takes the whole card" data_takes_the_card
check "listens to nothing that is not named" nothing_unnamed_listens
check "lets nothing else in" filtered
check "has no password" no_passwords
check "keeps the technician's key, and not where everybody can read it" key_is_off_the_card
check "has keys and names of its own" own_secrets
check "serves the tablets' page" page_is_there
check "is good in slot A" first_slot_is_good
memory
