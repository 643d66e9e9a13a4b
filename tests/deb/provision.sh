# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# A machine as installed becomes a box by head office's code: over real HTTPS, with real systemd. Head
# office is on this machine, too: its broker with TLS, welcome-crm with its door, and nginx before it.
office=/run/office
office_name=office.example
crm() { welcome-crm --database $office/crm.db "$@"; }
is_as_installed() {
  welcomectl factory-reset --all --yes && ! systemctl is-active -q welcomed &&
    cmp -s /etc/welcomed/welcomed.conf /usr/share/welcomed/welcomed.conf
}
# A certificate authority that this machine trusts, as the guide says it, and a certificate.
office_has_a_name() {
  mkdir -p $office && echo "127.0.0.1 $office_name" >>/etc/hosts &&
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=office CA" \
      -keyout $office/ca.key -out $office/ca.pem 2>/dev/null &&
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$office_name" \
      -keyout $office/tls.key -out $office/tls.csr 2>/dev/null &&
    openssl x509 -req -in $office/tls.csr -CA $office/ca.pem -CAkey $office/ca.key -CAcreateserial -days 2 \
      -extfile <(echo "subjectAltName=DNS:$office_name") -out $office/tls.pem 2>/dev/null
}
office_is_trusted() {
  cp $office/ca.pem /usr/local/share/ca-certificates/office.crt && update-ca-certificates >/dev/null
}
office_broker_runs() {
  install -d -o mosquitto $office/broker && cp $office/tls.* $office/broker/ && chown mosquitto $office/broker/*
  local examples=/usr/share/doc/welcome-crm/examples
  cat >$office/broker/mosquitto.conf <<CONF
user mosquitto
listener 8883
use_username_as_clientid true
allow_anonymous false
password_file $office/broker/passwords
acl_file $office/broker/acl
certfile $office/broker/tls.pem
keyfile $office/broker/tls.key
CONF
  (cat $examples/central.acl && sed 's/@TENANT@/demo/; s/@CRM@/crm/' $examples/central-tenant.acl.in) >$office/broker/acl
  mosquitto_passwd -b -c $office/broker/passwords crm "of the office" 2>/dev/null
  chown mosquitto $office/broker/*
  systemd-run -q --unit office-broker mosquitto -c $office/broker/mosquitto.conf &&
    within 10 bash -c 'echo >/dev/tcp/127.0.0.1/8883'
}
office_serves() {
  crm init --tenant demo --controller "Aroma Ltd" >/dev/null && crm sign-keys --new >/dev/null &&
    printf '%s' "of the office" >$office/password || return 1
  systemd-run -q --unit office-crm welcome-crm --database $office/crm.db serve --heartbeat-s 2 \
    --broker mqtts://$office_name:8883 --ca $office/ca.pem --password-file $office/password \
    --door 127.0.0.1:8090 --door-page https://$office_name:8443/phone/
  sed 's/@DOOR@/8090/' /usr/share/doc/welcome-crm/examples/door-location.conf.in >$office/door.conf
  cat >/etc/nginx/conf.d/office.conf <<CONF
limit_req_zone \$binary_remote_addr zone=door:1m rate=100r/s;
limit_conn_zone \$binary_remote_addr zone=door_open:1m;
server {
  listen 8443 ssl;
  server_name $office_name;
  ssl_certificate $office/tls.pem;
  ssl_certificate_key $office/tls.key;
  include $office/door.conf;
}
CONF
  systemctl reload nginx && within 10 curl -sS -o /dev/null --cacert $office/ca.pem https://$office_name:8443/v1/me
}
invite() {
  crm --json boxes invite "aroma-1/$1" --broker mqtts://$office_name:8883 --ca $office/ca.pem \
    --broker-files $office/broker | jq -r .link && systemctl kill -s HUP office-broker
}
distrusts_the_office() {
  local said
  said=$(welcomectl provision "$(invite box-7)" 2>&1) && return 1
  [[ $said == *"its certificate is not trusted"* && ! -e /etc/welcomed/conf.d/50-provisioned.conf ]]
}
is_provisioned() {
  local began
  link=$(invite box-7)
  began=$(now_ms)
  welcomectl provision "$link" || return 1
  figure "welcomectl provision: $(($(now_ms) - began)) ms to the first sync"
}
runs_as_that_box() {
  systemctl is-active -q welcomed && [[ $(systemctl is-enabled welcomed) == enabled ]] &&
    shows '.box.id == "box-7" and .links.uplink.state == "up" and .consents.footing == "firm"'
}
is_at_the_floor() { within 10 shows '.links.floor.state == "up"'; }
key_is_sealed() { [[ -s /etc/credstore.encrypted/welcomed.box-key && ! -e /etc/credstore/welcomed.box-key ]]; }
office_knows_its_key() {
  [[ $(crm --json boxes | jq -r '.[0].key.public_key') == $(welcomectl status --json | jq -r .box.public_key) ]]
}
again_is_the_same() { welcomectl provision "$link" && runs_as_that_box && office_knows_its_key; }
stays_this_box() { ! welcomectl provision "$(invite box-8)" 2>/dev/null && runs_as_that_box; }
# After a power cut in the middle: the key and the password are there, the rest is not.
goes_on_after_a_cut() {
  rm /etc/welcomed/conf.d/50-provisioned.conf /etc/welcomed/crm-keys && systemctl stop welcomed &&
    welcomectl provision "$link" && runs_as_that_box
}
office_leaves() {
  systemctl stop office-crm office-broker
  rm -rf /etc/nginx/conf.d/office.conf /usr/local/share/ca-certificates/office.crt $office &&
    update-ca-certificates >/dev/null && systemctl reload nginx
}

check "is as installed" is_as_installed
check "head office has a name" office_has_a_name
check "head office's broker runs" office_broker_runs
check "head office serves" office_serves
check "does not believe a door that nobody vouches for" distrusts_the_office
check "trusts head office's authority" office_is_trusted
check "becomes a box by a code" is_provisioned
check "runs as that box" runs_as_that_box
check "has its account at the floor's broker" is_at_the_floor
check "its key is sealed" key_is_sealed
check "head office has pinned its key" office_knows_its_key
check "said again, it is the same" again_is_the_same
check "is no other box by another code" stays_this_box
check "goes on where it was cut off" goes_on_after_a_cut
check "head office leaves" office_leaves
