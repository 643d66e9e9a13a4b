# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The box key in a TPM (swtpm behind QEMU's TIS), as the technician's guide says: the service has it, the
# card alone has not, and neither has the card beside another TPM.
plain=/etc/credstore/welcomed.box-key
sealed=/etc/credstore.encrypted/welcomed.box-key
box_key() { status .box.public_key; }

seals() { welcomectl key seal && [[ -s $sealed && ! -e $plain ]]; }
is_the_same_box() { [[ $(box_key) == "$key_before" ]]; }
no_plain_copy() {
  ! grep -r -l -F "$plain_before" /etc /var/lib/welcomed 2>/dev/null | grep -q .
}
changes_the_key() { welcomectl key new && restart && welcomectl key settle && restart; }
is_another_key() { [[ $(box_key) != "$key_before" ]] && shows '.crm.feed != null'; }
# The card in another machine: what its TPM was given is gone.
with_another_tpm() {
  systemctl stop welcomed && tpm2_clear -c lockout
}
does_not_start() {
  systemctl start welcomed 2>/dev/null
  sleep 3
  ! is ActiveState active && ! systemd-creds decrypt --name=box-key $sealed /run/box-key 2>/dev/null
}
says_why() { journalctl -u welcomed --no-pager -o cat | grep -qi 'credential'; }

check "has a TPM" within 30 test -c /dev/tpmrm0
check "is up" within 180 is ActiveState active
key_before=$(box_key)
plain_before=$(tr -d '\n' <$plain)
check "seals the box key by the TPM, and the plain one is destroyed" seals
check "starts with it" restart
check "is the same box" is_the_same_box
check "has no plain copy of the key on the card" no_plain_copy
check "changes the key, still in the TPM" changes_the_key
check "has another key then" is_another_key
check "is put beside another TPM" with_another_tpm
check "does not start there, and the key stays secret" does_not_start
check "says that a credential is missing" says_why
systemctl stop welcomed
