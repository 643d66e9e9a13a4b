// SPDX-License-Identifier: Apache-2.0
import { render } from 'preact';
import { savedAccount, saveAccount, takeFragment } from '../shared/session';
import '../shared/tokens.css';
import { App } from './app';
import { Phone } from './model';
import './phone.css';

const phone = new Phone();
const account = takeFragment() ?? savedAccount();
const signedIn = account !== null && phone.signIn(account);
saveAccount(signedIn ? account : null);
render(<App phone={phone} signedIn={signedIn} />, document.getElementById('app')!);
