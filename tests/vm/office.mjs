// SPDX-License-Identifier: Apache-2.0
// Head office as a box in a virtual machine meets it: the real welcome-crm with its door behind nginx, and the
// central broker, both by TLS with a certificate of the company's own CA. The machine reaches this
// one's loopback at 10.0.2.2.
//
// usage: office.mjs DIR      writes DIR/office.json { link, door, database, releases }, and serves until it is stopped

import { execFile, execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { kBin, kRoot } from '../../harness/places.mjs';
import { startStack } from '../../harness/stack.mjs';

const kHost = '10.0.2.2';
const run = promisify(execFile);

const dir = path.resolve(process.argv[2]);
rmSync(dir, { recursive: true, force: true });
mkdirSync(dir, { recursive: true, mode: 0o700 });
const file = (name) => path.join(dir, name);

const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
openssl(
  ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30'],
  ...['-subj', '/CN=Aroma Ltd', '-keyout', file('ca.key'), '-out', file('ca.crt')],
);
openssl(
  ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30'],
  ...['-subj', `/CN=${kHost}`, '-addext', `subjectAltName=IP:${kHost}`],
  ...['-addext', 'basicConstraints=critical,CA:FALSE', '-CA', file('ca.crt'), '-CAkey', file('ca.key')],
  ...['-keyout', file('tls.key'), '-out', file('tls.crt')],
);

const stack = await startStack({ run: file('run'), pages: path.join(kRoot, 'build/console') });
const [brokerPort, doorPort] = [stack.ports.uplinkOwner + 1000, stack.ports.web + 1000];
appendFileSync(
  file('run/mosquitto-central/mosquitto.conf'),
  `\nlistener ${brokerPort} 127.0.0.1\nuse_username_as_clientid true\n` +
    `certfile ${file('tls.crt')}\nkeyfile ${file('tls.key')}\n`,
);
await stack.program('mosquitto-central').stop();
await stack.startBroker('uplink');
const site = file('run/nginx/floor-site.conf');
writeFileSync(
  site,
  readFileSync(site, 'utf8').replace(
    /listen 127.*?;/,
    `$& listen 127.0.0.1:${doorPort} ssl; ssl_certificate "${file('tls.crt')}"; ssl_certificate_key "${file('tls.key')}";`,
  ),
);
// What `fleet release add` hands out, in a folder of this office's.
mkdirSync(file('releases'), { mode: 0o755 });
const locations = file('run/nginx/door-location.conf');
writeFileSync(
  locations,
  readFileSync(locations, 'utf8').replace('/var/lib/welcome-releases', file('releases')),
);
stack.program('nginx').signal('SIGHUP');

const database = file('crm.db');
const crm = (...args) => run(path.join(kBin, 'welcome-crm'), ['-d', database, ...args]);
await crm('init', '--tenant', 'demo', '--controller', 'Aroma Ltd', '--notice', 'welcome-pledge:3:en');
await crm('sign-keys', '--new');
await crm(
  'import',
  ...['customers.csv', 'consents.csv', 'campaigns.json', 'policy.json'].map((name) =>
    path.join(kRoot, 'demo/data', name),
  ),
);
writeFileSync(file('crm-password'), stack.accounts.crm, { mode: 0o600 });
const door = `https://${kHost}:${doorPort}`;
await stack.start({
  name: 'crm',
  file: path.join(kBin, 'welcome-crm'),
  args: [
    ...['-d', database, 'serve', '--broker', `mqtt://127.0.0.1:${stack.ports.uplink}`],
    ...['--password-file', file('crm-password'), '--heartbeat-s', '5'],
    ...['--door', `127.0.0.1:${stack.ports.door}`, '--door-page', `${door}/phone/`],
  ],
  ready: { port: stack.ports.door },
});
const { stdout } = await crm(
  ...['--json', 'boxes', 'invite', 'aroma-1/box-7', '--door', door],
  ...['--broker', `mqtts://${kHost}:${brokerPort}`, '--ca', file('ca.crt')],
  ...['--broker-files', stack.brokerFiles('uplink')],
);
stack.program('mosquitto-central').signal('SIGHUP');
writeFileSync(
  file('office.json.new'),
  JSON.stringify({ link: JSON.parse(stdout).link, door, database, releases: file('releases') }),
);
execFileSync('mv', [file('office.json.new'), file('office.json')]);

for (const signal of ['SIGTERM', 'SIGINT'])
  process.on(signal, async () => {
    await stack.stop();
    process.exit(0);
  });
setInterval(() => {}, 3600 * 1000);
