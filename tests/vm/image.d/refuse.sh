# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2016
# Bundles that must not come in: changed after signing, of another box, signed by somebody else.
# refuses FILE WORD: and the running slot goes on; what is said has WORD.
refuses() {
  local said before
  before=$(slot)
  to_box "$1" /data/bad.raucb || return 1
  if said=$(box 'welcome-update --later /data/bad.raucb' 2>&1); then return 1; fi
  echo "$said" >>"$work/log"
  grep -qi -- "$2" <<<"$said" && box 'grub-editenv /boot/efi/grub/grubenv list' | grep "^ORDER=$before" >/dev/null
}
tampered() {
  local file=$work/tampered.raucb size
  cp "$image/welcome-amd64.raucb" "$file"
  size=$(stat -c %s "$file")
  # A byte in the middle of the root file system.
  printf '\x42' | dd of="$file" bs=1 seek=$((size / 2)) conv=notrunc status=none
  echo "$file"
}
head -c 1048576 /dev/urandom >"$work/small"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=somebody \
  -keyout "$work/foreign.key" -out "$work/foreign.crt" 2>/dev/null
bundle "$work/small" "$work/board.raucb" welcome-box-arm64
bundle "$work/small" "$work/foreign.raucb" welcome-box-amd64 "$work/foreign.crt" "$work/foreign.key"

check "a bundle that was changed is refused" refuses "$(tampered)" "i/o error\|input/output\|verif\|failed"
check "a bundle for another board is refused" refuses "$work/board.raucb" "compatible"
check "a bundle that somebody else signed is refused" refuses "$work/foreign.raucb" "verif\|signature\|certificate"
