// SPDX-License-Identifier: Apache-2.0
// The tablet's words in the language that was chosen. A key that a language lacks is an error of the compiler.

import { i18n, type Language } from '../shared/i18n';
import { ar } from './words/ar';
import { de } from './words/de';
import { en, type Words } from './words/en';
import { fr } from './words/fr';

export const kWords: Record<Language, Words> = { en, de, fr, ar };

export const words = (): Words => kWords[i18n.language];
