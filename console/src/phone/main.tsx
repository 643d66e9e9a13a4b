// SPDX-License-Identifier: Apache-2.0
import { render } from 'preact';
import 'virtual:tokens.css';
import '../shared/base.css';
import { App } from './app';
import { keepShell } from './install';
import { Phone } from './model';
import './phone.css';

const phone = new Phone();

// The token leaves the address bar and the history at once. A link that is opened in this very tab changes
// the fragment alone.
function takeFragment(): string {
  const { hash, pathname, search } = location;
  if (hash) history.replaceState(null, '', pathname + search);
  return hash;
}
addEventListener('hashchange', () => {
  const fragment = takeFragment();
  if (fragment) void phone.start(fragment);
});

void phone.start(takeFragment());
keepShell();
render(<App phone={phone} />, document.getElementById('app')!);
