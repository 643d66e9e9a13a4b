// SPDX-License-Identifier: Apache-2.0
// For whoever looks after the boxes: the lights of each, bars while they walk through the shop, and a restart.

import { useState } from 'preact/hooks';
import type { Light, Managing, Signal } from './managing';
import { words } from './words';

export function Technician({ managing }: { managing: Managing }) {
  const t = words().manage;
  const { boxes } = managing;
  if (boxes.length === 0)
    return (
      <p class="soft" role="status">
        {t.waiting}
      </p>
    );
  return (
    <>
      {boxes.map((box) => (
        <Box key={box} managing={managing} box={box} />
      ))}
      <Walk managing={managing} />
    </>
  );
}

function Box({ managing, box }: { managing: Managing; box: string }) {
  const [sure, setSure] = useState(false);
  const t = words().manage;
  return (
    <section aria-label={box} data-box={box}>
      <h3>
        <bdi>{box}</bdi>
      </h3>
      <ul class="plain">
        {(managing.lights.get(box) ?? []).map((light) => (
          <Lamp key={light.light} light={light} />
        ))}
      </ul>
      {sure ? (
        <div class="chips" role="group" aria-label={t.restart}>
          <button
            type="button"
            class="button"
            data-restart="now"
            onClick={() => {
              setSure(false);
              managing.restart(box);
            }}
          >
            {t.restartNow}
          </button>
          <button type="button" class="button quiet" onClick={() => setSure(false)}>
            {t.restartNot}
          </button>
        </div>
      ) : (
        <button type="button" class="button" data-restart="ask" onClick={() => setSure(true)}>
          {t.restart}
        </button>
      )}
    </section>
  );
}

// What and to do come from the box, in English.
function Lamp({ light }: { light: Light }) {
  const t = words().manage;
  return (
    <li class={`lamp ${light.lamp}`} data-light={light.light}>
      <span class="dot" aria-hidden="true" />
      <span>
        <strong>{t.lights[light.light]}</strong> <small class="soft">{t.lamps[light.lamp]}</small>
        <small lang="en" dir="ltr">
          {light.what}
        </small>
        {light.toDo && (
          <small lang="en" dir="ltr" class="warm">
            {light.toDo}
          </small>
        )}
      </span>
    </li>
  );
}

function Walk({ managing }: { managing: Managing }) {
  const t = words().manage;
  return (
    <section aria-labelledby="manage-walk">
      <h3 id="manage-walk">{t.walk}</h3>
      <p class="soft">{t.walkHint}</p>
      <button
        type="button"
        class="button"
        aria-pressed={managing.walking}
        data-walk={managing.walking}
        onClick={() => managing.walk(!managing.walking)}
      >
        {managing.walking ? t.walkStop : t.walkStart}
      </button>
      {[...managing.signals].map(([box, signals]) => (
        <div key={box} data-signals={box}>
          <h4>
            <bdi>{box}</bdi>
          </h4>
          {signals.length === 0 && <p class="soft">{t.heardNobody}</p>}
          <ul class="plain">
            {signals.map((signal, i) => (
              <Bars key={i} signal={signal} />
            ))}
          </ul>
        </div>
      ))}
    </section>
  );
}

function Bars({ signal }: { signal: Signal }) {
  const t = words().manage;
  return (
    <li class="signal">
      <span class="bars" role="img" aria-label={t.bars(signal.bars)}>
        {[1, 2, 3, 4].map((bar) => (
          <i key={bar} class={bar <= signal.bars ? 'on' : ''} />
        ))}
      </span>
      <span>{words().tablet.by[signal.by === 'fob' ? 'beacon' : 'phone']}</span>
      <span class="soft">{words().tablet.zone[signal.zone]}</span>
    </li>
  );
}
