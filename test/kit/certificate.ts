// Throw-away certificates for tests, made by the openssl command: an authority and a leaf for this machine.
//
// Everything lives in one temporary directory that remove() deletes. Never use these for anything else.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificate {
  /** PEM text. */
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
  /** The same as files. */
  readonly caFile: string;
  readonly certificateFile: string;
  readonly keyFile: string;
  remove(): void;
}

/** A leaf for the names (DNS names or IP addresses; localhost and both loopback addresses if none), signed by a new authority. */
export function createCertificate(names: readonly string[] = ['localhost', '127.0.0.1', '::1']): Certificate {
  const directory = mkdtempSync(join(tmpdir(), 'umbra-certificate-'));
  const file = (name: string) => join(directory, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const alternatives = names.map((name) => `${/^[\d.]+$|:/.test(name) ? 'IP' : 'DNS'}:${name}`).join(',');
  const extensions = `subjectAltName=${alternatives}\nbasicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n`;
  writeFileSync(file('leaf.ext'), extensions);
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-days',
    '2',
    '-subj',
    '/CN=umbra test CA',
  );
  openssl('req', ...key, '-keyout', 'leaf.key', '-out', 'leaf.csr', '-subj', '/CN=umbra test');
  const signing = [
    '-CA',
    'ca.pem',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    'leaf.ext',
  ];
  openssl('x509', '-req', '-in', 'leaf.csr', ...signing, '-out', 'leaf.pem');
  return {
    ca: readFileSync(file('ca.pem'), 'utf8'),
    certificate: readFileSync(file('leaf.pem'), 'utf8'),
    key: readFileSync(file('leaf.key'), 'utf8'),
    caFile: file('ca.pem'),
    certificateFile: file('leaf.pem'),
    keyFile: file('leaf.key'),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
