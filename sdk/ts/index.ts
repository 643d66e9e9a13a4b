// SPDX-License-Identifier: Apache-2.0
// For an app of your own: docs/app-sdk.md.

export * from './door.ts';
export type * from './door_types.ts';
export * from './identity.ts';
export * from './proof.ts';
