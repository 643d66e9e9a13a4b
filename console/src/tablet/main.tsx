// SPDX-License-Identifier: Apache-2.0
import { render } from 'preact';
import { savedAccount, saveAccount, takeFragment } from '../shared/session';
import 'virtual:tokens.css';
import '../shared/base.css';
import { Alert } from './alert';
import { App } from './app';
import { Tablet } from './model';
import './tablet.css';

const tablet = new Tablet();
const alert = new Alert();
tablet.onArrival = () => alert.arrival();
const account = takeFragment() ?? savedAccount();
if (account) {
  saveAccount(account);
  tablet.signIn(account);
}
const app = document.getElementById('app')!;
app.replaceChildren(); // what was seen until now
render(<App tablet={tablet} alert={alert} signedIn={account !== null} />, app);
