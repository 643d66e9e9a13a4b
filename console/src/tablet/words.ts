// SPDX-License-Identifier: Apache-2.0
// The tablet's words in the language that was chosen. A key that a language lacks is an error of the compiler.

import { i18n, type Language } from '../shared/i18n';
import { ar } from './texts/ar';
import { de } from './texts/de';
import { en, type Words } from './texts/en';
import { fr } from './texts/fr';

export const kWords: Record<Language, Words> = { en, de, fr, ar };

export const words = (): Words => kWords[i18n.language];
