// SPDX-License-Identifier: Apache-2.0
import { render } from 'preact';
import { savedAccount, saveAccount, takeFragment } from '../shared/session';
import '../shared/tokens.css';
import { App } from './app';
import { Tablet } from './model';
import './tablet.css';

const tablet = new Tablet();
const account = takeFragment() ?? savedAccount();
if (account) {
  saveAccount(account);
  tablet.signIn(account);
}
render(<App tablet={tablet} signedIn={account !== null} />, document.getElementById('app')!);
