// SPDX-License-Identifier: Apache-2.0
// The words of the phone page, in the language that is chosen.

import { i18n, type Language } from '../shared/i18n';
import { ar } from './words/ar';
import { de } from './words/de';
import { en, type Words } from './words/en';
import { fr } from './words/fr';

const kTables: Record<Language, Words> = { en, de, fr, ar };

export const words = (): Words => kTables[i18n.language];
