// Certificates and keys that a config names.
//
// Owns the check that they exist, parse and fit together, so that a broken one is a config problem with a line and not a
// failed handshake at night. Keeps no key material.

import { X509Certificate } from 'node:crypto';
import { resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { TlsFiles } from '../core/model.ts';
import { readTextFile } from './file.ts';
import type { Path } from './problem.ts';
import type { Report } from './report.ts';

const PEM_BYTES_MAX = 1024 * 1024;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** Absolute names of a listener's files; what is wrong with them is reported at their keys below `at`. */
export function readTlsFiles(
  certificate: string,
  key: string,
  folder: string,
  at: Path,
  report: Report,
): TlsFiles {
  const files = { certificateFile: resolve(folder, certificate), keyFile: resolve(folder, key) };
  const certificateText = readPem(files.certificateFile, certificate, [...at, 'certificate'], report);
  const keyText = readPem(files.keyFile, key, [...at, 'key'], report);
  const isCertificate =
    certificateText !== null &&
    isAccepted(
      { cert: certificateText },
      'is not a PEM certificate',
      certificate,
      [...at, 'certificate'],
      report,
    );
  const isKey =
    keyText !== null &&
    isAccepted(
      { key: keyText },
      'is not a PEM private key without a passphrase',
      key,
      [...at, 'key'],
      report,
    );
  if (isCertificate && isKey) {
    const pair = { cert: certificateText, key: keyText };
    isAccepted(pair, 'is not the key of the certificate', key, [...at, 'key'], report);
  }
  return files;
}

/** The PEM text of further authorities, or null when there is something wrong with it. */
export function readAuthorities(
  ca: string,
  folder: string,
  path: Path,
  report: Pick<Report, 'add'>,
): string | null {
  const text = readPem(resolve(folder, ca), ca, path, report);
  if (text === null) return null;
  const blocks = text.match(CERTIFICATE) ?? [];
  if (blocks.length > 0 && blocks.every(isCertificateBlock)) return text;
  report.add({ path, rule: 'file', message: 'is not a file of PEM certificates', found: ca });
  return null;
}

function readPem(file: string, name: string, path: Path, report: Pick<Report, 'add'>): string | null {
  const { text, problem } = readTextFile(file, PEM_BYTES_MAX);
  if (problem !== null) report.add({ path, rule: 'file', message: problem, found: name });
  return text;
}

function isAccepted(
  options: { cert?: string; key?: string },
  message: string,
  found: string,
  path: Path,
  report: Report,
): boolean {
  try {
    createSecureContext(options);
    return true;
  } catch {
    report.add({ path, rule: 'file', message, found });
    return false;
  }
}

function isCertificateBlock(block: string): boolean {
  try {
    return new X509Certificate(block).fingerprint256 !== '';
  } catch {
    return false;
  }
}
