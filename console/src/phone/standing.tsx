// SPDX-License-Identifier: Apache-2.0
// Level, points and the next reward, of who has any.

import { i18n } from '../shared/i18n';
import type { Phone } from './model';
import { words } from './words';

export function StandingView({ phone }: { phone: Phone }) {
  const t = words();
  const { tier, points, nextReward } = phone.customer.standing ?? {};
  if (!tier && points == null) return null;
  const left = nextReward == null ? null : nextReward - (points ?? 0);
  return (
    <section class="block standing">
      <h2>{t.standing}</h2>
      <dl>
        {tier && (
          <div>
            <dt>{t.tier}</dt>
            <dd>{tier}</dd>
          </div>
        )}
        {points != null && (
          <div>
            <dt>{t.points}</dt>
            <dd>{i18n.number(points)}</dd>
          </div>
        )}
      </dl>
      {nextReward != null && left != null && (
        <>
          <progress
            aria-label={t.points}
            max={nextReward}
            value={Math.max(0, Math.min(points ?? 0, nextReward))}
          />
          <p class="soft">{left > 0 ? t.toReward(i18n.number(left)) : t.rewardReached}</p>
        </>
      )}
    </section>
  );
}
