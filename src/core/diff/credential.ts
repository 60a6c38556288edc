// Which names of headers, parameters and variables are of what lets somebody in: their values are never shown.
//
// The one place that says so. Errs on the side of too many: a value that is withheld costs a look elsewhere.

const CREDENTIAL = new RegExp(
  [
    'authori[sz]ation|authenticat|oauth|bearer|cookie|session|token|jwt|secret|credential|signature|passw|passphrase',
    '(?:api|access|private|secret|shared|signing|encryption|master)[-_]?key|(?:client|ssl|tls)[-_]?cert',
    // Short ones stand for themselves alone.
    '(?:^|[-_.])(?:auth|otp|totp|mfa|sid|sess|sig|hmac|pin|pwd|assertion)(?:$|[-_.])|(?:^|[-_.])pass$',
  ].join('|'),
  'i',
);

export function isCredentialName(name: string): boolean {
  return CREDENTIAL.test(name);
}
