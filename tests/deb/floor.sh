# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The shop's half: page, broker, tablets.
page=https://box/tablet/
get() { curl -sS --cacert /etc/welcome-floor/tls/floor.crt --resolve box:443:127.0.0.1 "$@"; }
page_opens() { get "$page" | grep -q '<title>' && get -o /dev/null -w '%{http_code}' "$page" | grep -q 200; }
page_is_what_tests_have() {
  get -D - -o /dev/null "$page" | tr -d '\r' | grep -qi "^content-security-policy: default-src 'none'"
}
# Without an account the broker shows nobody in; nginx hands the WebSocket on.
websocket_opens() {
  # It stays open until curl has waited long enough.
  [[ $(get -o /dev/null -w '%{http_code}' --http1.1 --max-time 2 -H 'Connection: Upgrade' -H 'Upgrade: websocket' \
    -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' \
    -H 'Sec-WebSocket-Protocol: mqtt' https://box/floor/mqtt 2>/dev/null) == 101 ]]
}
tablet_comes_in() {
  link=$(welcomectl tablet add bar-1 --page "$page" --json | jq -r .link)
  password=${link##*:}
  within 5 mosquitto_sub -h 127.0.0.1 -p 1884 -i bar-1 -u bar-1 -P "$password" -t 'welcome/v1/floor/status/+' -C 1 -W 3
}
refused() { [[ $(mosquitto_pub -h 127.0.0.1 -p 1884 "$@" -t x -m y 2>&1) == *"not authorised"* ]]; }
stranger_stays_out() { refused -i stranger; }
tablet_is_gone() {
  welcomectl tablet revoke bar-1 >/dev/null &&
    within 5 refused -i bar-1 -u bar-1 -P "$password"
}
box_is_still_in() { within 10 shows '.links.floor.state == "up"'; }
# Debian's own, beside it.
debians_is_as_it_was() {
  systemctl is-active -q mosquitto && mosquitto_pub -h 127.0.0.1 -p 1883 -t x -m y &&
    [[ -z $(dpkg --verify mosquitto) ]]
}
survives_a_kill() {
  local pid
  pid=$(systemctl show -P MainPID welcome-floor)
  kill -KILL "$pid"
  within 20 systemctl is-active -q welcome-floor && within 20 shows '.links.floor.state == "up"'
}
another_certificate() {
  /usr/share/welcome-floor/certificate --again welcome.shop.example 192.168.1.20 127.0.0.1 &&
    systemctl reload nginx &&
    within 5 curl -sS -o /dev/null --cacert /etc/welcome-floor/tls/floor.crt \
      --resolve welcome.shop.example:443:127.0.0.1 https://welcome.shop.example/tablet/
}
# As the guide has it for a second box.
second_box_comes_in() {
  cat >/etc/welcome-floor/conf.d/boxes.conf <<'END'
listener 8884
use_username_as_clientid true
certfile /etc/welcome-floor/tls/floor.crt
keyfile /etc/welcome-floor/tls/floor.key
END
  systemctl restart welcome-floor && welcomectl floor add box-2 --password-file /run/box-2.floor-password &&
    mosquitto_pub -h 127.0.0.1 -p 8884 --cafile /etc/welcome-floor/tls/floor.crt -i box-2 -u box-2 \
      -P "$(cat /run/box-2.floor-password)" -q 1 -t welcome/v1/floor/status/box-2 -m '{}' &&
    welcomectl floor revoke box-2 && ! welcomectl floor revoke bar-1 2>/dev/null && within 60 shows '.links.floor.state == "up"'
}
nobody_reads_the_accounts() { ! runuser -u tina -- cat /etc/welcome-floor/passwords 2>/dev/null; }

# Its two listeners (1884, 1885), and no address of theirs but 127.0.0.1.
reached_from_here_alone() {
  awk '$4 == "0A" && $2 ~ /:075[CD]$/ { print $2 }' /proc/net/tcp /proc/net/tcp6 | sort | paste -sd' ' |
    grep -x '0100007F:075C 0100007F:075D'
}
check "nginx serves the tablets' page, with a certificate" page_opens
check "with the headers of the tests" page_is_what_tests_have
check "hands the WebSocket to the broker" websocket_opens
check "the broker is reached from this machine alone" reached_from_here_alone
check "a tablet comes in with what its code says" tablet_comes_in
check "a stranger does not" stranger_stays_out
check "nor does a tablet that was revoked" tablet_is_gone
check "the box is still in" box_is_still_in
check "accounts are for nobody else to read" nobody_reads_the_accounts
check "Debian's own mosquitto is as it was" debians_is_as_it_was
check "the broker comes back, and the box to it" survives_a_kill
check "takes a certificate for other names" another_certificate
check "a second box comes in by TLS" second_box_comes_in
