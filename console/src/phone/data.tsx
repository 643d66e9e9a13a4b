// SPDX-License-Identifier: Apache-2.0
import { useState } from 'preact/hooks';
import { i18n } from '../shared/i18n';
import { Icon } from '../shared/parts';
import { Held } from './held';
import { InstallHint } from './install';
import { LinkView } from './link';
import type { Phone } from './model';
import { Notices } from './notices';
import { Passkeys, StepUp } from './passkeys';
import { Profile } from './profile';
import { words } from './words';

export function Data({ phone }: { phone: Phone }) {
  const [sure, setSure] = useState(false);
  const { read } = phone.customer;
  const t = words();
  return (
    <>
      {phone.stepUp && <StepUp phone={phone} />}
      <Profile phone={phone} />
      <Devices phone={phone} />
      <Passkeys phone={phone} />
      <Notices phone={phone} />
      <section class="block">
        <h2>{t.exportTitle}</h2>
        <p class="soft">{t.exportHint}</p>
        <button type="button" class="button" disabled={phone.exporting} onClick={() => phone.export()}>
          <Icon name="file" />
          {phone.exporting ? t.exporting : t.export}
        </button>
        {read ? (
          <>
            <button type="button" class="button" onClick={() => phone.hide()}>
              {t.readClose}
            </button>
            <Held data={read} />
          </>
        ) : (
          <button type="button" class="button" onClick={() => phone.show()}>
            {t.read}
          </button>
        )}
      </section>
      <section class="block">
        <h2>{t.forgetTitle}</h2>
        <p class="soft">{t.forgetHint}</p>
        {!sure && (
          <button type="button" class="button danger" onClick={() => setSure(true)}>
            {t.forget}
          </button>
        )}
        {sure && (
          <div class="sure" role="alertdialog" aria-labelledby="sure-words">
            <p id="sure-words">{t.forgetSure}</p>
            <button
              type="button"
              class="button"
              ref={(button) => button?.focus()}
              onClick={() => setSure(false)}
            >
              {t.forgetNo}
            </button>
            <button
              type="button"
              class="button danger"
              onClick={() => {
                setSure(false);
                phone.forget();
              }}
            >
              {t.forgetYes}
            </button>
          </div>
        )}
      </section>
      <InstallHint />
      <button type="button" class="button quiet" onClick={() => phone.signOut()}>
        {i18n.t.common.signOut}
      </button>
    </>
  );
}

function Devices({ phone }: { phone: Phone }) {
  const t = words();
  return (
    <section class="block">
      <h2>{t.devices}</h2>
      <p class="soft">{t.devicesHint}</p>
      <ul class="devices">
        {phone.customer.devices.map((device) => (
          <li key={device.id} data-here={device.here}>
            <span>
              {device.name || t.deviceNoName}
              <small class="soft">
                {device.here
                  ? t.deviceHere
                  : device.seenAt !== null && t.deviceSeen(i18n.clock(device.seenAt))}
              </small>
            </span>
            {!device.here && (
              <button type="button" class="button" onClick={() => phone.revoke(device)}>
                {t.deviceOut}
              </button>
            )}
          </li>
        ))}
      </ul>
      <LinkView phone={phone} />
    </section>
  );
}
