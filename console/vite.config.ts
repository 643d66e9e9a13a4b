// SPDX-License-Identifier: Apache-2.0
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { tokens } from './tokens.mjs';

const here = (file: string) => fileURLToPath(new URL(file, import.meta.url));

export default defineConfig({
  root: here('.'),
  base: '/',
  plugins: [tokens()],
  build: {
    outDir: here('../build/console'),
    emptyOutDir: true,
    target: 'es2020',
    // One style sheet and one script per page; nothing inline, the pages run under a strict CSP.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { input: { tablet: here('tablet/index.html'), phone: here('phone/index.html') } },
  },
});
