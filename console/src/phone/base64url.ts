// SPDX-License-Identifier: Apache-2.0
// Bytes as base64url without padding, as the door and the browser write them.

export function bytesOf(text: unknown): Uint8Array<ArrayBuffer> {
  const standard = typeof text === 'string' ? text.replaceAll('-', '+').replaceAll('_', '/') : '';
  return Uint8Array.from(atob(standard), (byte) => byte.charCodeAt(0));
}

export function textOf(bytes: ArrayBuffer): string {
  const standard = btoa(String.fromCharCode(...new Uint8Array(bytes)));
  return standard.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
