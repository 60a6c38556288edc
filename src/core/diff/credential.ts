// Which header fields carry what lets somebody in: their values are compared, and never shown.

const CREDENTIAL =
  /authorization|authenticat|cookie|token|secret|password|api[-_]?key|credential|session|(?:^|[-_])auth(?:$|[-_])/i;

export function isCredentialName(name: string): boolean {
  return CREDENTIAL.test(name);
}
