# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# The box key, sealed for this machine (here by the host's key: a container has no TPM; with one it is
# tests/vm/tpm.sh).
plain=/etc/credstore/welcomed.box-key
sealed=/etc/credstore.encrypted/welcomed.box-key
box_key() { welcomectl status --json | jq -r .box.public_key; }
restarts() { systemctl restart welcomed && systemctl is-active -q welcomed; }
seals() { welcomectl key seal && [[ -s $sealed && ! -e $plain ]]; }
is_the_same_box() { restarts && [[ $(box_key) == "$key_before" ]]; }
no_plain_copy() { ! grep -rlF "$plain_before" /etc /var/lib /run/credentials 2>/dev/null | grep -v /run/credentials/; }
not_twice() { ! welcomectl key seal 2>/dev/null; }
# Stopped between writing and destroying.
goes_on() {
  systemd-creds decrypt --name=box-key $sealed $plain 2>/dev/null
  ! welcomectl key new 2>/dev/null && welcomectl key seal && [[ ! -e $plain ]]
}
# A key that is not this box's is not destroyed, and destroys nothing.
not_another() {
  openssl rand -hex 32 >$plain
  ! welcomectl key seal 2>/dev/null && [[ -s $plain ]]
  local is=$?
  rm -f $plain
  return "$is"
}
changes_sealed() {
  welcomectl key new && restarts && welcomectl key settle && restarts &&
    [[ $(box_key) != "$key_before" && ! -e $plain ]]
}
says_how_long() { shows '.box.key_changing | not'; }

key_before=$(box_key)
plain_before=$(tr -d '\n' <$plain)
check "seals the box key, and the plain one goes" seals
check "is the same box with it" is_the_same_box
check "no plain copy is left" no_plain_copy
check "says that it is sealed already" not_twice
check "goes on where it was stopped" goes_on
check "does not seal another box's key over it" not_another
check "changes a sealed key" changes_sealed
check "and is done with it" says_how_long
